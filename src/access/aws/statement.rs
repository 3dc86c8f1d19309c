//! A compiled statement, and what it says about a request.

use std::sync::Arc;

use super::action::ActionSet;
use super::condition::{Leaf, Test};
use super::offer::{self, Offer};
use super::principal::Principals;
use super::request::Request;
use super::resource::ResourceSet;
use crate::access::Breadth;
use crate::access::formula::Formula;

/// Allow or Deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// `Allow`
    Allow,
    /// `Deny`
    Deny,
    /// Neither can be ruled out: the element is missing or unreadable.
    Either,
}

/// An element that lists what it means or what it leaves out.
#[derive(Debug, Clone)]
pub enum Scope<T> {
    /// `Action`, `Resource`
    Only(T),
    /// `NotAction`, `NotResource`
    AllBut(T),
    /// Neither is there.
    Missing,
    /// It is there and cannot be read.
    Unreadable,
}

/// One statement.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Place in the document, from 0.
    pub index: u32,
    /// Its Sid.
    pub sid: Option<Box<str>>,
    /// Allow or Deny.
    pub effect: Effect,
    /// False: something in it cannot be evaluated (W17); what it would do is then unknown wherever it could matter.
    pub sound: bool,
    /// `Principal` or `NotPrincipal`.
    pub principals: Scope<Principals>,
    /// `Action` or `NotAction`.
    pub actions: Scope<ActionSet>,
    /// `Resource` or `NotResource`.
    pub resources: Scope<ResourceSet>,
    /// All must hold.
    pub conditions: Vec<Test>,
    /// What it offers where it allows; filled in by [`Statement::finished`].
    pub offers: Box<[Offer]>,
    /// How wide its resources are.
    pub resource_breadths: Arc<[Breadth]>,
    /// A point in its widest resource; none where that depends on variables.
    pub wide_resource: Option<String>,
}

/// In what kind of policy a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Identity policies, boundaries, session policies, SCPs: no Principal, a Resource.
    Identity,
    /// Resource policies and RCPs: a Principal, a Resource.
    Resource,
    /// Trust policies: a Principal, no Resource.
    Trust,
}

impl Statement {
    /// A statement of which nothing was read yet.
    pub fn new(index: u32) -> Self {
        Self {
            index,
            sid: None,
            effect: Effect::Either,
            sound: true,
            principals: Scope::Missing,
            actions: Scope::Missing,
            resources: Scope::Missing,
            conditions: Vec::new(),
            offers: Box::default(),
            resource_breadths: Arc::from([]),
            wide_resource: None,
        }
    }

    /// Works out what it offers.
    #[must_use]
    pub fn finished(mut self) -> Self {
        if self.effect == Effect::Allow {
            self.offers = offer::offers(&self.actions);
            self.resource_breadths = offer::resource_breadths(&self.resources);
            self.wide_resource = offer::wide_resource(&self.resources);
        }
        self
    }

    /// Whether it grants or takes away nothing by itself in such a policy because an element is missing or out of place.
    pub fn fits(&self, role: Role) -> bool {
        match role {
            Role::Identity => matches!(self.principals, Scope::Missing) && !matches!(self.resources, Scope::Missing),
            Role::Resource | Role::Trust => !matches!(self.principals, Scope::Missing),
        }
    }

    /// When it applies to a request, the principal element left aside.
    pub fn applies(&self, request: &Request<'_>, role: Role) -> Formula<Leaf> {
        let mut formula = match &self.actions {
            Scope::Only(set) => set.matches(&request.action).into(),
            Scope::AllBut(set) => (!set.matches(&request.action)).into(),
            Scope::Missing | Scope::Unreadable => Formula::Unknown,
        };
        if formula.is_false() {
            return formula;
        }
        formula = formula.and(match &self.resources {
            Scope::Only(set) => set.matches(&request.resource, request),
            Scope::AllBut(set) => set.matches(&request.resource, request).negated(),
            // A trust policy has none; elsewhere its absence is a fault, which `fits` reports.
            Scope::Missing => Formula::True,
            Scope::Unreadable => Formula::Unknown,
        });
        if formula.is_false() {
            return formula;
        }
        for test in &self.conditions {
            formula = formula.and(test.evaluate(request));
            if formula.is_false() {
                return formula;
            }
        }
        if self.sound && self.fits(role) {
            formula
        } else {
            formula.and(Formula::Unknown)
        }
    }
}
