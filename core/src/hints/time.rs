//! Durations and moments as text. Everything is in milliseconds; moments since 1970.

/// A duration in units: `20ms`, `1.5s`, `6m0s`, `1h2m3.5s`, `2d`. A bare number is none.
pub(super) fn duration_ms(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut sum = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let scale = match unit {
            "ns" => 1e-6,
            "us" | "µs" => 1e-3,
            "ms" => 1.0,
            "s" | "sec" => 1e3,
            "m" | "min" => 60e3,
            "h" => 3.6e6,
            "d" => 86.4e6,
            _ => return None,
        };
        sum += count.parse::<f64>().ok()? * scale;
        rest = tail;
    }
    Some(sum)
}

/// One of the three dates of HTTP (RFC 9110, section 5.6.7).
pub(super) fn http_date_ms(text: &str) -> Option<f64> {
    let words: Vec<&str> = text.split([' ', ',', '-']).filter(|word| !word.is_empty()).collect();
    let (day, month, year, clock) = match words.as_slice() {
        // Sun, 06 Nov 1994 08:49:37 GMT; Sunday, 06-Nov-94 08:49:37 GMT
        [_, day, month, year, clock, "GMT" | "UTC"] => (day, month, year, clock),
        // Sun Nov  6 08:49:37 1994
        [_, month, day, clock, year] => (day, month, year, clock),
        _ => return None,
    };
    let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = months.iter().position(|name| month.eq_ignore_ascii_case(name))?;
    let year: i64 = match (year.len(), year.parse::<i64>().ok()?) {
        // Two digits: the RFC asks for the century that is nearest.
        (2, short) if short < 70 => 2000 + short,
        (2, short) => 1900 + short,
        (_, long) => long,
    };
    moment(year, i64::try_from(month).ok()? + 1, day.parse().ok()?, clock, 0)
}

/// A moment of RFC 3339: `2026-10-21T07:27:00.5Z`, `2026-10-21T09:27:00+02:00`.
pub(super) fn rfc3339_ms(text: &str) -> Option<f64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone);
    let offset_s = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let seconds =
                hours.parse::<i64>().ok()?.checked_mul(3600)? + minutes.parse::<i64>().ok()?.checked_mul(60)?;
            if sign == "-" { -seconds } else { seconds }
        }
    };
    moment(year, month, day, clock, offset_s)
}

fn moment(year: i64, month: i64, day: i64, clock: &str, offset_s: i64) -> Option<f64> {
    let mut clock = clock.split(':');
    let (hour, minute) = (clock.next()?.parse::<i64>().ok()?, clock.next()?.parse::<i64>().ok()?);
    let second = clock.next()?.parse::<f64>().ok()?;
    let sane = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..=23).contains(&hour)
        && (0..=59).contains(&minute)
        && (0.0..61.0).contains(&second)
        && offset_s.abs() < 86_400;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 - offset_s;
    sane.then_some((seconds as f64 + second) * 1000.0)
}

/// Days of the Gregorian calendar, counted in years that begin with March, so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_right() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0_u64),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-10-21T07:28:00Z", 1_792_567_680),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            assert_eq!(rfc3339_ms(text), Some(seconds as f64 * 1000.0), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in
            ["", "T", "2026-13-01T00:00:00Z", "2026-10-21T25:00:00Z", "2026-10-21", "99999999999999999999-1-1T0:0:0Z"]
        {
            assert_eq!(rfc3339_ms(text), None, "{text}");
        }
        for text in ["", "Wed, 21 Foo 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28 GMT", "1, 2"] {
            assert_eq!(http_date_ms(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_needs_its_units() {
        for (text, wait) in
            [("", None), ("5", None), ("5x", None), ("ms", None), ("1m30s", Some(90e3)), ("1..5s", None)]
        {
            assert_eq!(duration_ms(text), wait, "{text}");
        }
    }
}
