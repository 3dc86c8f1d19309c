//! Values of conditions: numbers, dates, addresses, ARNs, as policies and requests write them (W21, W22).

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::access::aws::pattern::Pattern;

/// An address range. IPv4 and IPv6 never match each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    six: bool,
    base: u128,
    bits: u32,
}

impl Network {
    /// `10.0.0.0/8`, `2001:db8::/32`; a bare address is /32 or /128.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (six, value, width) = match address.trim().parse::<IpAddr>().ok()? {
            IpAddr::V4(four) => (false, u128::from(u32::from(four)), 32),
            IpAddr::V6(six) => (true, u128::from(six), 128),
        };
        let length = length.unwrap_or(width);
        let host = width.checked_sub(length)?;
        Some(Self {
            six,
            base: value.checked_shr(host).unwrap_or(0),
            bits: host,
        })
    }

    /// Whether every address of the other is in this one.
    pub fn contains(&self, other: &Self) -> bool {
        self.six == other.six && self.bits >= other.bits && other.base.checked_shr(self.bits - other.bits).unwrap_or(0) == self.base
    }

    /// Whether they share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

/// A moment: ISO 8601 with or without time, seconds and zone (UTC where none is written), or epoch seconds.
pub fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Timestamp::from_second(text.parse().ok()?).ok();
    }
    let full = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    if let Ok(moment) = full.parse::<Timestamp>() {
        return Some(moment);
    }
    let civil: DateTime = full.parse().or_else(|_| full.trim_end_matches('Z').parse()).ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// An integer or decimal number.
pub fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    // The standard parser also takes `inf`, `nan`, which no policy means.
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// `true` or `false`, whichever case.
pub fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Whether an ARN pattern matches an ARN: the six parts separately (W21). A lone `*` matches every ARN.
pub fn arn_matches(pattern: &Pattern, value: &str) -> bool {
    if value.splitn(6, ':').count() < 6 || !value.starts_with("arn:") {
        return false;
    }
    if matches!(pattern, Pattern::Anything) {
        return true;
    }
    let parts = arn_parts(pattern);
    parts.len() == 6 && parts.iter().zip(value.splitn(6, ':')).all(|(part, value)| part.matches(value))
}

/// The parts of an ARN pattern: the first five colons that are written end them.
fn arn_parts(pattern: &Pattern) -> Vec<Pattern> {
    use crate::access::aws::pattern::Unit;
    let mut parts = vec![Vec::new()];
    for unit in pattern.units() {
        if unit == Unit::Char(':') && parts.len() < 6 {
            parts.push(Vec::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(unit);
        }
    }
    parts.into_iter().map(Pattern::from_units).collect()
}
