//! Spans of time as people write them in manifests: `30s`, `1h30m`, `2160h`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The accepted form: Go's units from milliseconds to hours, as in Flux and Kubernetes. Days have no fixed length and are no unit.
pub(super) const PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";

/// A span of time: decimal numbers with a unit (`ms`, `s`, `m`, `h`), such as `30s`, `1h30m` or `2160h`.
///
/// It keeps the text as written, so that what is read back is what was applied; [`Duration::parse`] gives its length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = PATTERN, "maxLength" = 32))]
pub struct Duration(String);

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not of the accepted form.
    #[error("'{0}' is no duration: write numbers with a unit ms, s, m or h, such as 30s or 1h30m")]
    Form(String),
    /// More nanoseconds than fit (about 292 years, the limit of Go and of CEL).
    #[error("'{0}' is too long for a duration: the limit is about 2,562,047h")]
    TooLong(String),
}

impl Duration {
    /// Takes the text as it is; [`Duration::parse`] tells whether it is a duration.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its length. Digits below a nanosecond are dropped.
    ///
    /// # Errors
    /// Where the text is of another form, or longer than a 64-bit count of nanoseconds.
    pub fn parse(&self) -> Result<std::time::Duration, DurationError> {
        let form = || DurationError::Form(self.0.clone());
        let too_long = || DurationError::TooLong(self.0.clone());
        let mut rest = self.0.as_str();
        let mut total: u64 = 0;
        if rest.is_empty() {
            return Err(form());
        }
        while !rest.is_empty() {
            let (whole, after) = digits(rest).ok_or_else(form)?;
            let (fraction, after) = match after.strip_prefix('.') {
                Some(after) => digits(after).ok_or_else(form)?,
                None => ("", after),
            };
            let (unit, after) = unit(after).ok_or_else(form)?;
            let whole: u64 = whole.parse().map_err(|_| too_long())?;
            total = whole
                .checked_mul(unit)
                .and_then(|whole| total.checked_add(whole))
                .and_then(|sum| sum.checked_add(fraction_of(fraction, unit)))
                .filter(|sum| *sum <= i64::MAX.unsigned_abs())
                .ok_or_else(too_long)?;
            rest = after;
        }
        Ok(std::time::Duration::from_nanos(total))
    }
}

impl std::fmt::Display for Duration {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<std::time::Duration> for Duration {
    /// Whole seconds where they suffice, else milliseconds.
    fn from(length: std::time::Duration) -> Self {
        if length.subsec_millis() == 0 {
            Self(format!("{}s", length.as_secs()))
        } else {
            Self(format!("{}ms", length.as_millis()))
        }
    }
}

/// Leading ASCII digits and what follows; none: nothing.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(digits, _)| !digits.is_empty())
}

/// Nanoseconds of the leading unit and what follows. `ms` before `m`.
fn unit(text: &str) -> Option<(u64, &str)> {
    const UNITS: [(&str, u64); 4] = [
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    UNITS
        .iter()
        .find_map(|(name, nanoseconds)| text.strip_prefix(name).map(|rest| (*nanoseconds, rest)))
}

/// Nanoseconds of the decimal places of a unit. The product fits: a place's value is below the unit, 3.6e12 × 10.
fn fraction_of(places: &str, unit: u64) -> u64 {
    let mut place = unit;
    let mut sum = 0_u64;
    for digit in places.bytes() {
        let value = place.saturating_mul(u64::from(digit.saturating_sub(b'0')));
        sum = sum.saturating_add(value / 10);
        // What the division dropped belongs to the next place; below a nanosecond nothing is left.
        place /= 10;
    }
    sum
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("30s", 30_000)]
    #[case("1m", 60_000)]
    #[case("1h30m", 5_400_000)]
    #[case("1.5h", 5_400_000)]
    #[case("250ms", 250)]
    #[case("0.25s", 250)]
    #[case("2160h", 7_776_000_000)]
    #[case("1m1m", 120_000)]
    #[case("0s", 0)]
    fn reads_every_unit(#[case] text: &str, #[case] milliseconds: u64) {
        let duration = Duration::new(text);
        assert_eq!(duration.parse(), Ok(std::time::Duration::from_millis(milliseconds)));
        assert_eq!(duration.as_str(), text, "the text stays as written");
    }

    #[rstest]
    #[case("")]
    #[case("6")]
    #[case("h")]
    #[case("1d")]
    #[case("1 h")]
    #[case("-1h")]
    #[case("1.h")]
    #[case(".5h")]
    #[case("1h ")]
    #[case("1H")]
    #[case("٣h")]
    fn refuses_other_forms(#[case] text: &str) {
        assert_eq!(Duration::new(text).parse(), Err(DurationError::Form(text.to_owned())));
    }

    #[test]
    fn refuses_what_does_not_fit() {
        for text in ["99999999999999999999999999h", "2562048h", "2562047h1000000000000m"] {
            assert_eq!(Duration::new(text).parse(), Err(DurationError::TooLong(text.to_owned())));
        }
        assert!(Duration::new("2562047h").parse().is_ok());
    }

    #[test]
    fn is_written_short() {
        assert_eq!(Duration::from(std::time::Duration::from_secs(90)).as_str(), "90s");
        assert_eq!(Duration::from(std::time::Duration::from_millis(1_500)).as_str(), "1500ms");
        assert_eq!(Duration::from(std::time::Duration::ZERO).as_str(), "0s");
    }
}
