//! When an AuditPolicy with a schedule runs: five cron fields in a named time zone.

use std::str::FromStr as _;

use croner::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::Schedule as Wanted;

/// A schedule that was understood.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// Why a schedule was not understood. Said in the condition `Stalled`, reason `InvalidSchedule`.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The cron expression.
    #[error("spec.schedule.cron '{0}' is not understood: {1}; write five fields such as '0 6 * * 1-5'")]
    Cron(String, croner::errors::CronError),
    /// The zone.
    #[error("spec.schedule.timeZone '{0}' is no zone of the IANA database; write one such as 'Europe/Berlin' or 'UTC'")]
    Zone(String),
}

impl Schedule {
    /// Understands the schedule of a policy. Without a zone it is UTC.
    pub fn parse(schedule: &Wanted) -> Result<Self, ScheduleError> {
        let text = schedule.cron.as_str();
        let cron = Cron::from_str(text).map_err(|error| ScheduleError::Cron(text.to_owned(), error))?;
        let name = schedule.time_zone();
        let zone = TimeZone::get(name).map_err(|_| ScheduleError::Zone(name.to_owned()))?;
        Ok(Self { cron, zone })
    }

    /// The first time after `time`; none where there is none in the years that the calendar knows.
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&time.to_zoned(self.zone.clone()), false).ok()?;
        Some(next.timestamp())
    }

    /// The last time at or before `time`.
    pub fn last_until(&self, time: Timestamp) -> Option<Timestamp> {
        let last = self.cron.find_previous_occurrence(&time.to_zoned(self.zone.clone()), true).ok()?;
        Some(last.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(cron: &str, zone: Option<&str>) -> Result<Schedule, ScheduleError> {
        let json = serde_json::json!({"cron": cron, "timeZone": zone});
        let json = if zone.is_some() { json } else { serde_json::json!({"cron": cron}) };
        Schedule::parse(&serde_json::from_value(json).unwrap())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_read_in_the_zone() {
        let berlin = schedule("0 6 * * *", Some("Europe/Berlin")).unwrap();
        assert_eq!(berlin.next_after(at("2026-01-10T00:00:00Z")), Some(at("2026-01-10T05:00:00Z")));
        assert_eq!(berlin.next_after(at("2026-07-10T00:00:00Z")), Some(at("2026-07-10T04:00:00Z")));
        let utc = schedule("*/15 * * * *", None).unwrap();
        assert_eq!(utc.next_after(at("2026-01-10T00:00:00Z")), Some(at("2026-01-10T00:15:00Z")));
        assert_eq!(utc.last_until(at("2026-01-10T00:15:00Z")), Some(at("2026-01-10T00:15:00Z")));
        assert_eq!(utc.last_until(at("2026-01-10T00:14:59Z")), Some(at("2026-01-10T00:00:00Z")));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert!(schedule("61 * * * *", None).unwrap_err().to_string().contains("61 * * * *"));
        assert!(
            schedule("0 6 * * *", Some("Mars/Base"))
                .unwrap_err()
                .to_string()
                .contains("Mars/Base")
        );
    }

    #[test]
    fn a_day_that_never_comes_has_no_next_time() {
        assert_eq!(
            schedule("0 0 31 2 *", None)
                .ok()
                .and_then(|never| never.next_after(at("2026-01-10T00:00:00Z"))),
            None
        );
    }
}
