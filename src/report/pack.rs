//! Findings into chunks: grouped by identity, sharded by a hash of it into a power of two of buckets, split when a bucket is
//! too large for a chunk, and degraded in the order of [`Step`] when no split helps (operator-conventions §2.4).
//!
//! Which bucket a finding is in depends on its identity and the number of buckets alone, so one changed identity changes one chunk.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::bounds::{Bounds, COMPRESSION, TEXT_LIMIT, count, stored_length};
use super::chunk::{self, Chunk};
use super::degrade::{Fate, Fates, Step, lean};
use super::{ReportError, canonical};
use crate::model::{ChunkEncoding, ChunkRef, Finding, IdentityRef, Manifest, Provider, ResourceRef, Truncation};

/// Stored length of the chunk document around its groups.
const ENVELOPE: usize = 64;

/// A finding with its canonical JSON.
pub(super) struct Entry<'a> {
    pub finding: &'a Finding,
    pub text: String,
}

/// A generation of chunks with what had to be left out.
pub(super) struct Packed {
    pub manifest: Manifest,
    pub chunks: Vec<Chunk>,
    pub truncation: Option<Truncation>,
}

/// The findings of one identity, else of one resource, else of the account.
struct Group {
    /// What follows the findings in its JSON.
    tail: String,
    hash: u64,
    members: Vec<usize>,
}

struct Packer<'a> {
    report: &'a str,
    entries: &'a [&'a Entry<'a>],
    groups: Vec<Group>,
    bounds: &'a Bounds,
}

/// Packs findings that are sorted by id. `previous` gives the bucket count and encoding to keep; JSON texts of more than
/// `compress_above` bytes in all are written as gzip.
pub(super) fn pack(
    report: &str,
    entries: &[&Entry<'_>],
    previous: Option<&Manifest>,
    compress_above: usize,
    bounds: &Bounds,
) -> Result<Packed, ReportError> {
    let packer = Packer {
        report,
        entries,
        groups: groups(entries)?,
        bounds,
    };
    let all: Vec<usize> = (0..entries.len()).collect();
    let mut fates = Fates::whole(entries.len());
    let mut encoding = None;
    for step in std::iter::once(None).chain(Step::ORDER.into_iter().map(Some)) {
        if let Some(step) = step {
            fates.degrade(step, &all, entries);
        }
        if let Some(packed) = packer.attempt(fates.clone(), previous, compress_above, &mut encoding)? {
            return Ok(packed);
        }
    }
    // Only the counts are left.
    Ok(packer.generation(&fates, encoding.unwrap_or_default(), packer.first_buckets(previous, 0), Vec::new()))
}

type Owner<'a> = (Option<&'a IdentityRef>, Option<&'a ResourceRef>);

fn groups(entries: &[&Entry<'_>]) -> Result<Vec<Group>, ReportError> {
    let mut owners: BTreeMap<Owner<'_>, Vec<usize>> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let identity = entry.finding.identity.as_ref();
        let resource = if identity.is_some() {
            None
        } else {
            entry.finding.resource.as_ref()
        };
        owners.entry((identity, resource)).or_default().push(index);
    }
    let group = |(owner, members): (Owner<'_>, Vec<usize>)| {
        let (tail, hash) = match owner {
            (Some(identity), _) => (
                format!("],\"identity\":{}}}", canonical(identity)?),
                shard_hash("identity", identity.provider, &identity.scope, &identity.id),
            ),
            (None, Some(resource)) => (
                format!("],\"resource\":{}}}", canonical(resource)?),
                shard_hash("resource", resource.provider, &resource.scope, &resource.id),
            ),
            (None, None) => ("]}".to_owned(), 0),
        };
        Ok(Group { tail, hash, members })
    };
    owners.into_iter().map(group).collect()
}

/// Its low bits choose the bucket. Name and kind are no part of it: they are not what an identity is known by.
fn shard_hash(what: &str, provider: Provider, scope: &str, id: &str) -> u64 {
    let mut hash = Sha256::new();
    for part in [what, provider.as_str(), scope, id] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

impl Packer<'_> {
    /// The bucket count to begin with: the previous one, which never shrinks, else so many that all are half full.
    fn first_buckets(&self, previous: Option<&Manifest>, wanted: usize) -> u32 {
        match previous.map(|manifest| manifest.buckets) {
            Some(buckets) if buckets.is_power_of_two() && buckets <= self.bounds.buckets => buckets,
            _ => count(wanted).clamp(1, self.bounds.buckets).next_power_of_two(),
        }
    }

    /// One try. None: the report as a whole is too large, so the next step has to be taken.
    fn attempt(
        &self,
        mut fates: Fates,
        previous: Option<&Manifest>,
        compress_above: usize,
        encoding: &mut Option<ChunkEncoding>,
    ) -> Result<Option<Packed>, ReportError> {
        let sizes = self
            .groups
            .iter()
            .map(|group| self.bounded(group, &mut fates))
            .collect::<Result<Vec<usize>, _>>()?;
        let total: usize = sizes.iter().sum();
        // The encoding is chosen once, before anything is left out; going back takes half the size, so that it does not flap.
        let encoding = *encoding.get_or_insert_with(|| {
            let compressed = previous.is_some_and(|manifest| manifest.encoding == ChunkEncoding::Gzip);
            let most = compress_above.min(self.bounds.total) / if compressed { 2 } else { 1 };
            if total > most { ChunkEncoding::Gzip } else { ChunkEncoding::Json }
        });
        let fill = match encoding {
            ChunkEncoding::Json => self.bounds.first_fill(),
            ChunkEncoding::Gzip => self.bounds.first_fill() * COMPRESSION,
        };
        let mut buckets = self.first_buckets(previous, total.div_ceil(fill));
        while buckets < self.bounds.buckets {
            if let Some(chunks) = self.shard(&sizes, &fates, encoding, buckets)? {
                return Ok(Some(self.generation(&fates, encoding, buckets, chunks)));
            }
            buckets *= 2;
        }
        let chunks = self.shard_most(&sizes, &mut fates, encoding)?;
        Ok(chunks.map(|chunks| self.generation(&fates, encoding, self.bounds.buckets, chunks)))
    }

    /// Degrades a group as far as it needs to fit into a chunk of its own; its size inside of `data` as JSON, 0 where nothing is left.
    fn bounded(&self, group: &Group, fates: &mut Fates) -> Result<usize, ReportError> {
        let mut size = self.size(group, fates)?;
        for step in Step::ORDER {
            if !self.is_wide(size) || matches!(self.fit(ChunkEncoding::Gzip, true, self.document(&[group], fates)?)?, Fit::Fits(_)) {
                break;
            }
            fates.degrade(step, &group.members, self.entries);
            size = self.size(group, fates)?;
        }
        Ok(size)
    }

    /// Too large for a chunk of its own as JSON: it is written as gzip, for no split makes it smaller.
    const fn is_wide(&self, size: usize) -> bool {
        size + ENVELOPE > self.bounds.data
    }

    /// The findings of a group that are written, as JSON.
    fn texts<'a>(&'a self, group: &'a Group, fates: &'a Fates) -> impl Iterator<Item = Result<Cow<'a, str>, ReportError>> {
        let members = group
            .members
            .iter()
            .filter_map(|index| Some((fates.of(*index), self.entries.get(*index)?)));
        members.filter_map(|(fate, entry)| match fate {
            Fate::Whole => Some(Ok(Cow::Borrowed(entry.text.as_str()))),
            Fate::Lean => Some(canonical(&lean(entry.finding)).map(Cow::Owned)),
            Fate::Dropped(_) => None,
        })
    }

    fn size(&self, group: &Group, fates: &Fates) -> Result<usize, ReportError> {
        let mut size = 0;
        for text in self.texts(group, fates) {
            size += stored_length(&text?) + 1;
        }
        // The head of a group as stored: `{\"findings\":[`.
        Ok(if size == 0 { 0 } else { size + stored_length(&group.tail) + 16 })
    }

    /// Canonical JSON of a [`ChunkDocument`](crate::model::ChunkDocument), put together from its parts.
    fn document(&self, groups: &[&Group], fates: &Fates) -> Result<String, ReportError> {
        let mut document = "{\"identities\":[".to_owned();
        let mut separator = "";
        for group in groups {
            let mut open = false;
            for text in self.texts(group, fates) {
                document.push_str(if open { "," } else { separator });
                document.push_str(if open { "" } else { "{\"findings\":[" });
                document.push_str(&text?);
                open = true;
            }
            if open {
                document.push_str(&group.tail);
                separator = ",";
            }
        }
        document.push_str("],\"schema\":\"");
        document.push_str(chunk::SCHEMA);
        document.push_str("\"}");
        Ok(document)
    }

    /// The groups of each bucket with their sizes; groups of which nothing is written are not there.
    fn assign(&self, sizes: &[usize], buckets: u32) -> BTreeMap<u32, Vec<(&Group, usize)>> {
        let mut assigned: BTreeMap<u32, Vec<(&Group, usize)>> = BTreeMap::new();
        for (group, size) in self.groups.iter().zip(sizes).filter(|(_, size)| **size > 0) {
            let bucket = u32::try_from(group.hash % u64::from(buckets)).unwrap_or_default();
            assigned.entry(bucket).or_default().push((group, *size));
        }
        assigned
    }

    /// All buckets as chunks; none where one is too large and more buckets may help.
    fn shard(&self, sizes: &[usize], fates: &Fates, encoding: ChunkEncoding, buckets: u32) -> Result<Option<Vec<Chunk>>, ReportError> {
        let mut chunks = Vec::new();
        for (bucket, members) in self.assign(sizes, buckets) {
            let wide = members.iter().any(|(_, size)| self.is_wide(*size));
            let size: usize = members.iter().map(|(_, size)| size + 1).sum();
            if encoding == ChunkEncoding::Json && !wide && self.is_wide(size) {
                return Ok(None);
            }
            let groups: Vec<&Group> = members.into_iter().map(|(group, _)| group).collect();
            match self.fit(encoding, wide, self.document(&groups, fates)?)? {
                Fit::Fits(fitted) => chunks.push(self.chunk(bucket, &groups, fates, fitted)),
                Fit::TooLarge(_) => return Ok(None),
            }
        }
        Ok(Some(chunks))
    }

    /// All buckets as chunks with as many buckets as there may be: those that are too large by the hash's unevenness are degraded.
    /// None where all together are too large.
    fn shard_most(&self, sizes: &[usize], fates: &mut Fates, encoding: ChunkEncoding) -> Result<Option<Vec<Chunk>>, ReportError> {
        let mut chunks = Vec::new();
        let mut crowded = Vec::new();
        let mut total: usize = 0;
        for (bucket, members) in self.assign(sizes, self.bounds.buckets) {
            let groups: Vec<&Group> = members.into_iter().map(|(group, _)| group).collect();
            let size = match self.fit(encoding, true, self.document(&groups, fates)?)? {
                Fit::Fits(fitted) => {
                    let stored = fitted.stored;
                    chunks.push(self.chunk(bucket, &groups, fates, fitted));
                    stored
                }
                Fit::TooLarge(least) => {
                    crowded.push((bucket, groups));
                    least
                }
            };
            total = total.saturating_add(size);
            if total > self.bounds.total {
                return Ok(None);
            }
        }
        for (bucket, groups) in crowded {
            chunks.extend(self.degraded(bucket, &groups, fates, encoding)?);
        }
        Ok(Some(chunks))
    }

    /// The chunk of one bucket, degraded as far as it needs; none where nothing is left.
    fn degraded(&self, bucket: u32, groups: &[&Group], fates: &mut Fates, encoding: ChunkEncoding) -> Result<Option<Chunk>, ReportError> {
        let members: Vec<usize> = groups.iter().flat_map(|group| group.members.iter().copied()).collect();
        for step in Step::ORDER {
            fates.degrade(step, &members, self.entries);
            if fates.written(&members) == 0 {
                break;
            }
            if let Fit::Fits(fitted) = self.fit(encoding, true, self.document(groups, fates)?)? {
                return Ok(Some(self.chunk(bucket, groups, fates, fitted)));
            }
        }
        Ok(None)
    }

    /// The text as `data` within the bound: in the preferred encoding or, where that is allowed, in the other.
    fn fit(&self, preferred: ChunkEncoding, either: bool, text: String) -> Result<Fit, ReportError> {
        let plain = stored_length(&text);
        let order: &[ChunkEncoding] = match preferred {
            ChunkEncoding::Json if either => &[ChunkEncoding::Json, ChunkEncoding::Gzip],
            ChunkEncoding::Json => &[ChunkEncoding::Json],
            // Text that does not compress may fit as it is.
            ChunkEncoding::Gzip => &[ChunkEncoding::Gzip, ChunkEncoding::Json],
        };
        let mut least = plain;
        for encoding in order.iter().copied() {
            if encoding == ChunkEncoding::Json && plain <= self.bounds.data {
                return Ok(Fit::Fits(Fitted {
                    encoding,
                    text,
                    data: None,
                    stored: plain,
                }));
            }
            if encoding == ChunkEncoding::Gzip && text.len() <= TEXT_LIMIT {
                let data = chunk::encode(encoding, &text).map_err(ReportError::Compress)?;
                least = least.min(data.len());
                if data.len() <= self.bounds.data {
                    return Ok(Fit::Fits(Fitted {
                        encoding,
                        text,
                        stored: data.len(),
                        data: Some(data),
                    }));
                }
            }
        }
        Ok(Fit::TooLarge(least))
    }

    fn chunk(&self, bucket: u32, groups: &[&Group], fates: &Fates, fitted: Fitted) -> Chunk {
        let reference = ChunkRef {
            name: chunk::name(self.report, bucket, fitted.encoding, &fitted.text),
            bucket,
            findings: groups.iter().map(|group| fates.written(&group.members)).sum(),
            bytes: count(fitted.data.as_ref().map_or(fitted.text.len(), String::len)),
        };
        Chunk {
            reference,
            encoding: fitted.encoding,
            data: fitted.data.unwrap_or(fitted.text),
        }
    }

    fn generation(&self, fates: &Fates, encoding: ChunkEncoding, buckets: u32, mut chunks: Vec<Chunk>) -> Packed {
        chunks.sort_by(|a, b| a.reference.name.cmp(&b.reference.name));
        let references: Vec<ChunkRef> = chunks.iter().map(|chunk| chunk.reference.clone()).collect();
        let manifest = Manifest {
            generation: chunk::generation(&references),
            buckets,
            encoding,
            filtered: 0,
            chunks: references,
        };
        Packed {
            manifest,
            chunks,
            truncation: fates.truncation(self.entries),
        }
    }
}

/// A chunk's text in an encoding that fits.
struct Fitted {
    encoding: ChunkEncoding,
    text: String,
    /// None where the text is the data.
    data: Option<String>,
    stored: usize,
}

enum Fit {
    Fits(Fitted),
    /// The smallest size that was reached.
    TooLarge(usize),
}
