//! Every form in which a provider says how long to wait, as seen in the wild.
//!
//! ```
//! use std::time::SystemTime;
//! use dragoman_tests::simulator::hints;
//!
//! assert!(hints::all(SystemTime::now()).len() >= 40);
//! ```
//!
//! The table says what a form means where that is beyond doubt, so that a parser can be held to it. Whatever the form,
//! a gateway must not trap on it, must not wait longer than a quarter of an hour for it, and must ask the next target.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::reply::Reply;

/// What a form means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Wait this long.
    After(Duration),
    /// Nothing that can be read; wait as if there were no hint.
    Nothing,
    /// Waiting will not help today.
    Exhausted,
}

/// One refusal with its hint.
#[derive(Clone, Debug)]
pub struct Hint {
    /// Names the form in messages.
    pub form: String,
    /// The status it comes with.
    pub status: u16,
    /// The headers it comes in.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// The body it comes in.
    pub body: String,
    /// What it means.
    pub means: Means,
}

impl Hint {
    /// The refusal as a reply.
    pub fn reply(&self) -> Reply {
        let reply = Reply::status(self.status).header("content-type", "application/json").body(self.body.as_str());
        self.headers.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    }
}

/// Every form, those with a date made relative to `now`.
pub fn all(now: SystemTime) -> Vec<Hint> {
    let mut hints = retry_after(now);
    hints.extend(other_headers(now));
    hints.extend(bodies());
    hints
}

const OPENAI: &str =
    r#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
const ANTHROPIC: &str = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
const OVERLOADED: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;

const RESETS: [&str; 4] = [
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-reset",
];

fn seconds(seconds: f64) -> Means {
    Means::After(Duration::from_secs_f64(seconds))
}

fn header(name: &'static str, value: impl AsRef<[u8]>, means: Means) -> Hint {
    let value = value.as_ref().to_vec();
    let form = format!("{name}: {}", String::from_utf8_lossy(&value));
    Hint { form, status: 429, headers: vec![(name, value)], body: OPENAI.into(), means }
}

fn retry_after(now: SystemTime) -> Vec<Hint> {
    let values: [(&[u8], Means); 12] = [
        (b"20", seconds(20.0)),
        (b"1.5", seconds(1.5)),
        (b"0", seconds(0.0)),
        (b"-5", Means::Nothing),
        (b"120s", seconds(120.0)),
        (b"", Means::Nothing),
        (b"1, 2", Means::Nothing),
        // A transient refusal for thirty years: clamped.
        (b"1e9", Means::Nothing),
        (b"99999999999999999999", Means::Nothing),
        (b"soon", Means::Nothing),
        (b"zw\xf6lf", Means::Nothing),
        (b"NaN", Means::Nothing),
    ];
    let mut hints: Vec<Hint> = values.iter().map(|(value, means)| header("retry-after", value, *means)).collect();
    let later = http_date(now + Duration::from_secs(30));
    let past = http_date(now - Duration::from_secs(3600));
    let short_year = later.replacen(" 20", " ", 1);
    hints.push(header("retry-after", later, seconds(30.0)));
    hints.push(header("retry-after", past, seconds(0.0)));
    hints.push(header("retry-after", short_year, Means::Nothing));
    let mut twice = header("retry-after", "1", Means::Nothing);
    twice.headers.push(("retry-after", b"2".to_vec()));
    twice.form = "retry-after given twice".into();
    hints.push(twice);
    for status in [503, 529] {
        hints.push(Hint {
            status,
            body: OVERLOADED.into(),
            form: format!("{status} with retry-after"),
            ..header("retry-after", "2", seconds(2.0))
        });
    }
    hints
}

fn other_headers(now: SystemTime) -> Vec<Hint> {
    let epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default() + Duration::from_secs(12);
    let rfc3339 = rfc3339(now + Duration::from_secs(15));
    let mut hints = vec![
        header("retry-after-ms", "1500", seconds(1.5)),
        header("x-ms-retry-after-ms", "700", seconds(0.7)),
        header("x-ratelimit-reset-requests", "1s", seconds(1.0)),
        header("x-ratelimit-reset-requests", "6m0s", seconds(360.0)),
        header("x-ratelimit-reset-requests", "20ms", seconds(0.02)),
        header("x-ratelimit-reset-requests", "1h2m3.5s", Means::Nothing),
        header("x-ratelimit-reset-tokens", "2.5s", seconds(2.5)),
        header("x-ratelimit-reset-tokens", epoch.as_secs().to_string(), seconds(12.0)),
        header("x-ratelimit-reset", epoch.as_millis().to_string(), seconds(12.0)),
    ];
    hints.extend(RESETS.map(|name| Hint { body: ANTHROPIC.into(), ..header(name, &rfc3339, seconds(15.0)) }));
    hints
}

fn gemini(message: &str, detail: &str) -> String {
    format!(r#"{{"error":{{"code":429,"message":"{message}","status":"RESOURCE_EXHAUSTED","details":[{detail}]}}}}"#)
}

fn bodies() -> Vec<Hint> {
    let retry_info =
        |delay: &str| format!(r#"{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{delay}"}}"#);
    let error_info = r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","metadata":{"quotaResetDelay":"373.801628ms"}}"#;
    let per_day = r#"{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}"#;
    let cases = [
        ("Gemini RetryInfo 39s", gemini("quota", &retry_info("39s")), seconds(39.0)),
        ("Gemini RetryInfo with nanoseconds", gemini("quota", &retry_info("45.837906927s")), seconds(45.837_906_927)),
        ("Gemini quotaResetDelay", gemini("quota", error_info), seconds(0.373_801_628)),
        ("Gemini text with seconds", gemini("Please retry in 26.66s.", ""), seconds(26.66)),
        ("Gemini text with a duration", gemini("Your quota will reset after 2h7m23s.", ""), Means::Nothing),
        ("Gemini quota per day", gemini("quota", per_day), Means::Exhausted),
        ("Bedrock throttling", r#"{"__type":"ThrottlingException","message":"Too many requests"}"#.into(), Means::Nothing),
        (
            "OpenAI insufficient quota",
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#.into(),
            Means::Exhausted,
        ),
        ("no body at all", String::new(), Means::Nothing),
        ("a page instead of an answer", "<html><body>429 Too Many Requests</body></html>".into(), Means::Nothing),
    ];
    let hint = |(form, body, means): (&str, String, Means)| Hint {
        form: form.into(),
        status: 429,
        headers: Vec::new(),
        body,
        means,
    };
    cases.into_iter().map(hint).collect()
}

/// Every form that says a time, each with one of two or three seconds from `now`, so that a gateway can be watched keeping it.
pub fn brief(now: SystemTime) -> Vec<Hint> {
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() + 3;
    let moment = UNIX_EPOCH + Duration::from_secs(second);
    // Moments are whole seconds.
    let at_moment = Means::After(moment.duration_since(now).unwrap_or_default());
    let (date, stamp) = (http_date(moment), rfc3339(moment));
    let millis = (second * 1000).to_string();
    let (two, half, three) = (seconds(2.0), seconds(2.5), seconds(3.0));
    let mut hints: Vec<Hint> = [("2", two), ("2.5", half), ("3s", three), ("0h0m2.5s", half), ("1, 3", three)]
        .map(|(value, means)| header("retry-after", value, means))
        .into();
    hints.extend([&date, &second.to_string(), &millis, &stamp].map(|value| header("retry-after", value, at_moment)));
    let mut twice = header("retry-after", "1", three);
    twice.headers.push(("retry-after", b"3".to_vec()));
    hints.push(Hint { form: "retry-after given twice".into(), ..twice });
    for status in [500, 503, 529] {
        let form = format!("{status} with retry-after");
        hints.push(Hint { status, body: OVERLOADED.into(), form, ..header("retry-after", "3", three) });
    }
    hints.extend(["retry-after-ms", "x-ms-retry-after-ms"].map(|name| header(name, "2500", half)));
    for name in ["x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"] {
        let said = [("3s", three), ("2.5s", half), ("2500ms", half), ("0m3s", three), ("0h0m2.5s", half), ("3", three)];
        hints.extend(said.map(|(value, means)| header(name, value, means)));
    }
    let second = second.to_string();
    hints.extend([&second, &millis].map(|value| header("x-ratelimit-reset", value, at_moment)));
    hints.extend(RESETS.map(|name| Hint { body: ANTHROPIC.into(), ..header(name, &stamp, at_moment) }));
    let details = [
        ("RetryInfo", r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3s"}"#, three),
        ("RetryInfo with nanoseconds", r#"{"retryDelay":"2.837906927s"}"#, seconds(2.837_906_927)),
        ("quotaResetDelay", r#"{"metadata":{"quotaResetDelay":"2373.801628ms"}}"#, seconds(2.373_801_628)),
    ];
    let sentences = [
        ("Please retry in 2.66s.", seconds(2.66)),
        ("Your quota will reset after 0h0m3s.", three),
        ("Please try again in 3 seconds", three),
        ("Please try again in 2500 ms", half),
    ];
    let details = details.map(|(form, detail, means)| (format!("Gemini {form}"), gemini("quota", detail), means));
    let sentences = sentences.map(|(text, means)| (text.to_owned(), gemini(text, ""), means));
    let hint = |(form, body, means)| Hint { form, status: 429, headers: Vec::new(), body, means };
    hints.extend(details.into_iter().chain(sentences).map(hint));
    hints
}

/// Year, month, day, day of the week (0 is Thursday) and second of the day, in UTC.
fn civil(time: SystemTime) -> (u64, u64, u64, usize, u64) {
    let second = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut day = second / 86_400;
    let week_day = usize::try_from(day % 7).unwrap_or_default();
    let leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    (year, month, day + 1, week_day, second % 86_400)
}

/// `Wed, 21 Oct 2026 07:28:00 GMT`.
pub fn http_date(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, week_day, second) = civil(time);
    let month = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"Jan");
    let week_day = DAYS.get(week_day).unwrap_or(&"Thu");
    format!("{week_day}, {day:02} {month} {year} {}", clock(second) + " GMT")
}

/// `2026-10-21T07:28:00Z`.
pub fn rfc3339(time: SystemTime) -> String {
    let (year, month, day, _, second) = civil(time);
    format!("{year}-{month:02}-{day:02}T{}Z", clock(second))
}

fn clock(second: u64) -> String {
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_their_standards_say() {
        let time = UNIX_EPOCH + Duration::from_secs(1_792_567_680);
        assert_eq!(http_date(time), "Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(rfc3339(time), "2026-10-21T07:28:00Z");
        let leap_day = UNIX_EPOCH + Duration::from_secs(951_782_400);
        assert_eq!(rfc3339(leap_day), "2000-02-29T00:00:00Z");
    }

    #[test]
    fn there_are_at_least_forty_forms_each_with_its_own_name() {
        for hints in [all(SystemTime::now()), brief(SystemTime::now())] {
            let names: std::collections::BTreeSet<&str> = hints.iter().map(|hint| hint.form.as_str()).collect();
            assert_eq!(names.len(), hints.len());
            assert!(hints.len() >= 35, "{}", hints.len());
        }
        assert!(all(SystemTime::now()).len() >= 40);
    }
}
