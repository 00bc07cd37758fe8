//! The windows of budgets: by the calendar, in a time zone.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long a budget lasts until it begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// By the minute.
    Minute,
    /// By the hour.
    Hour,
    /// By the day.
    Day,
    /// By the week, from Monday.
    Week,
    /// By the month.
    Month,
    /// Never.
    #[default]
    Total,
}

/// One window of a budget, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment; 0 for one that never ends.
    pub began_ms: i64,
    /// The first moment after it.
    pub ends_ms: Option<i64>,
}

impl Period {
    /// Every period.
    pub const ALL: [Period; 6] =
        [Period::Minute, Period::Hour, Period::Day, Period::Week, Period::Month, Period::Total];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Period::Minute => "minute",
            Period::Hour => "hour",
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
            Period::Total => "total",
        }
    }

    /// The period of that name.
    pub fn named(name: &str) -> Option<Period> {
        Period::ALL.into_iter().find(|period| period.name() == name)
    }

    /// The window that a moment is in. Days, weeks and months begin when the zone's calendar says so, also where clocks are
    /// put back or forth.
    pub fn span(self, at_ms: i64, zone: &TimeZone) -> anyhow::Result<Span> {
        if self == Period::Total {
            return Ok(Span { began_ms: 0, ends_ms: None });
        }
        if let Some(length) = self.fixed_ms() {
            let began_ms = at_ms.div_euclid(length) * length;
            return Ok(Span { began_ms, ends_ms: Some(began_ms + length) });
        }
        let moment = Timestamp::from_millisecond(at_ms)?.to_zoned(zone.clone());
        let began = self.beginning(&moment)?;
        let ends = self.after(&began)?;
        Ok(Span { began_ms: began.timestamp().as_millisecond(), ends_ms: Some(ends.timestamp().as_millisecond()) })
    }

    /// Minutes and hours are the same everywhere, as far as anybody who pays is concerned.
    fn fixed_ms(self) -> Option<i64> {
        match self {
            Period::Minute => Some(60_000),
            Period::Hour => Some(3_600_000),
            _ => None,
        }
    }

    fn beginning(self, moment: &Zoned) -> anyhow::Result<Zoned> {
        let date = moment.date();
        let first = match self {
            Period::Week => {
                let since = date.weekday().since(Weekday::Monday);
                date.checked_sub(jiff::Span::new().days(i64::from(since)))?
            }
            Period::Month => date.first_of_month(),
            _ => date,
        };
        Ok(first.to_zoned(moment.time_zone().clone())?.start_of_day()?)
    }

    fn after(self, began: &Zoned) -> anyhow::Result<Zoned> {
        let length = match self {
            Period::Week => jiff::Span::new().weeks(1),
            Period::Month => jiff::Span::new().months(1),
            _ => jiff::Span::new().days(1),
        };
        let date = began.date().checked_add(length)?;
        Ok(date.to_zoned(began.time_zone().clone())?.start_of_day()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn span(period: Period, moment: &str, zone: &str) -> (i64, Option<i64>) {
        let span = period.span(at(moment), &TimeZone::get(zone).unwrap()).unwrap();
        (span.began_ms, span.ends_ms)
    }

    #[test]
    fn windows_follow_the_calendar_of_their_zone() {
        for (period, moment, zone, began, ends) in [
            (Period::Minute, "2026-11-27T10:59:59.999Z", "UTC", "2026-11-27T10:59:00Z", "2026-11-27T11:00:00Z"),
            (Period::Hour, "2026-11-27T11:00:00Z", "UTC", "2026-11-27T11:00:00Z", "2026-11-27T12:00:00Z"),
            (Period::Day, "2026-11-27T23:30:00Z", "Europe/Berlin", "2026-11-27T23:00:00Z", "2026-11-28T23:00:00Z"),
            // Clocks are put back on 25 October: that day has 25 hours.
            (Period::Day, "2026-10-25T12:00:00Z", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            (Period::Week, "2026-11-29T23:59:59Z", "UTC", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            (Period::Month, "2028-02-29T12:00:00Z", "UTC", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Period::Month, "2026-12-31T23:59:59Z", "America/New_York", "2026-12-01T05:00:00Z", "2027-01-01T05:00:00Z"),
        ] {
            assert_eq!(span(period, moment, zone), (at(began), Some(at(ends))), "{period:?} at {moment} in {zone}");
        }
        assert_eq!(span(Period::Total, "2026-01-01T00:00:00Z", "UTC"), (0, None));
    }

    #[test]
    fn every_moment_is_in_one_window_and_windows_touch() {
        for zone in ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"] {
            let zone = TimeZone::get(zone).unwrap();
            for period in [Period::Day, Period::Week, Period::Month] {
                let mut moment = at("2026-01-01T00:00:00Z");
                while moment < at("2027-04-01T00:00:00Z") {
                    let span = period.span(moment, &zone).unwrap();
                    let ends = span.ends_ms.unwrap();
                    assert!((span.began_ms..ends).contains(&moment));
                    assert_eq!(period.span(ends - 1, &zone).unwrap(), span);
                    assert_eq!(period.span(ends, &zone).unwrap().began_ms, ends);
                    moment = ends;
                }
            }
        }
    }
}
