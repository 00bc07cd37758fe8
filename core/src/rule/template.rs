//! Texts with names in braces: `You work for {tenant}. Today is {date}.`
//!
//! A brace that is not exactly `{word}` stands for itself, so that examples in JSON need no escaping. Limits: [`MAX_TEXT`] bytes
//! as written; of a variable at most [`MAX_VALUE`] characters are put in.

/// Longest text of a rule, in bytes.
pub const MAX_TEXT: usize = 16 << 10;

/// Most characters of one variable: names are shorter, and a caller may say any name of a model.
pub const MAX_VALUE: usize = 200;

/// What a name in braces stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The first segment of the caller's account.
    Tenant,
    /// The caller's whole account.
    Account,
    /// The caller's department.
    Department,
    /// The caller's team.
    Team,
    /// The caller's user.
    User,
    /// The caller's key: its id.
    Caller,
    /// The model's name that the client asked for.
    Route,
    /// The day in UTC: `2026-01-31`.
    Date,
}

impl Variable {
    /// Every variable.
    pub const ALL: [Variable; 8] = [
        Variable::Tenant,
        Variable::Account,
        Variable::Department,
        Variable::Team,
        Variable::User,
        Variable::Caller,
        Variable::Route,
        Variable::Date,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Variable::Tenant => "tenant",
            Variable::Account => "account",
            Variable::Department => "department",
            Variable::Team => "team",
            Variable::User => "user",
            Variable::Caller => "caller",
            Variable::Route => "route",
            Variable::Date => "date",
        }
    }

    fn named(name: &str) -> Option<Variable> {
        Variable::ALL.into_iter().find(|variable| variable.name() == name)
    }
}

/// A text with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Words(String),
    Variable(Variable),
}

impl Template {
    /// Reads a text; an error says which name in braces nobody knows.
    pub fn read(text: &str) -> Result<Template, String> {
        if text.len() > MAX_TEXT {
            return Err(format!("has more than {MAX_TEXT} bytes"));
        }
        let (mut pieces, mut words, mut rest) = (Vec::new(), String::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            words.push_str(before);
            let name = after.split_once('}').filter(|(name, _)| is_word(name));
            let Some((name, behind)) = name else {
                words.push('{');
                rest = after;
                continue;
            };
            let variable = Variable::named(name).ok_or_else(|| {
                let known = Variable::ALL.map(|variable| format!("{{{}}}", variable.name())).join(", ");
                format!("has {{{name}}}, which is no variable; there are {known}")
            })?;
            pieces.push(Piece::Words(core::mem::take(&mut words)));
            pieces.push(Piece::Variable(variable));
            rest = behind;
        }
        words.push_str(rest);
        pieces.push(Piece::Words(words));
        Ok(Template(pieces))
    }

    /// The text for an exchange.
    pub fn fill(&self, words: &Words) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Words(words) => text.push_str(words),
                Piece::Variable(variable) => text.extend(words.value(*variable).chars().take(MAX_VALUE)),
            }
        }
        text
    }

    /// The text for an exchange as a header's value: what is not visible ASCII is left out.
    pub fn fill_header(&self, words: &Words) -> String {
        self.fill(words).chars().filter(|c| *c == ' ' || c.is_ascii_graphic()).collect()
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// What variables stand for in one exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The account's id; empty when the caller has none.
    pub account: String,
    /// The key's id.
    pub caller: String,
    /// The model's name that the client asked for.
    pub route: String,
    /// The day, as [`date`] writes it.
    pub date: String,
}

impl Words {
    fn value(&self, variable: Variable) -> &str {
        // An id does not say which levels were left out: a department is the second segment, a team the third, a user the fourth.
        let level = |number: usize| self.account.split('.').nth(number).unwrap_or_default();
        match variable {
            Variable::Tenant => level(0),
            Variable::Department => level(1),
            Variable::Team => level(2),
            Variable::User => level(3),
            Variable::Account => &self.account,
            Variable::Caller => &self.caller,
            Variable::Route => &self.route,
            Variable::Date => &self.date,
        }
    }
}

/// The day of a moment, in UTC.
pub fn date(at_ms: u64) -> String {
    // Days to a civil date, by eras of 400 years that begin in March.
    let days = at_ms / 86_400_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_filled_in_and_other_braces_stand() {
        let words = Words {
            account: "acme.platform.search.alice".into(),
            caller: "key_1".into(),
            route: "auto".into(),
            date: "2026-11-27".into(),
        };
        let filled = |text: &str| Template::read(text).unwrap().fill(&words);
        assert_eq!(
            filled("{tenant}/{department}/{team}/{user}: {account}"),
            "acme/platform/search/alice: acme.platform.search.alice"
        );
        assert_eq!(filled("{caller} {route} {date}"), "key_1 auto 2026-11-27");
        for plain in ["", "{", "}", "{}", "{{\"a\":{\"b\":1}}}", "{A}", "{a b}", "{ tenant }"] {
            assert_eq!(filled(plain), plain);
        }
        assert_eq!(filled("{{tenant}}"), "{acme}");
        assert_eq!(Template::read("{tenant}{team}").unwrap().fill(&Words::default()), "");
        let strange = Words { route: "a\u{e9}\nb\"".into(), ..Words::default() };
        assert_eq!(Template::read("r={route}").unwrap().fill_header(&strange), "r=ab\"");
    }

    #[test]
    fn an_unknown_name_and_a_long_text_are_refused() {
        assert!(Template::read("{tenent}").unwrap_err().contains("{tenant}"));
        assert!(Template::read(&"a".repeat(MAX_TEXT + 1)).is_err());
        let long = Words { route: "x".repeat(10_000), ..Words::default() };
        assert_eq!(Template::read("{route}").unwrap().fill(&long).len(), MAX_VALUE);
    }

    #[test]
    fn days_are_counted_by_the_calendar() {
        for (ms, day) in [
            (0, "1970-01-01"),
            (951_782_400_000, "2000-02-29"),
            (951_868_800_000, "2000-03-01"),
            (1_795_737_599_999, "2026-11-26"),
            (1_795_737_600_000, "2026-11-27"),
            (4_107_542_400_000, "2100-03-01"),
        ] {
            assert_eq!(date(ms), day);
        }
    }
}
