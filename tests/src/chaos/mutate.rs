//! Damages a settings file the way people and programs do, by chance from a seed: the same seed makes the same damage.
//!
//! Works on lines, knowing of TOML only what a line looks like: what comes out is often not TOML at all, and often it is
//! with another meaning. The control plane's own tests include this very file; it uses nothing of this package.

/// Chance that repeats itself: xorshift64*.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        // Small seeds are alike in their bits; the state may not be 0.
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            dice.next();
        }
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// A number below `limit`, which is 0 only if the limit is.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    fn index(&mut self, length: usize) -> usize {
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(limit)).unwrap_or(0)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let index = self.index(of.len());
        of.get(index).copied().unwrap_or_default()
    }
}

/// One way to damage a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    /// A line is gone.
    Delete,
    /// A line stands twice.
    Double,
    /// A table with its lines stands twice.
    DoubleTable,
    /// Two lines have changed places.
    Exchange,
    /// A value is of another type.
    Retype,
    /// A value is a number that nobody meant.
    Overflow,
    /// What is named in quotes is not there.
    Misname,
    /// A member has another's name.
    Rename,
    /// The file ends too early.
    Cut,
    /// A byte that does not belong there.
    Litter,
}

const DAMAGES: [Damage; 10] = [
    Damage::Delete,
    Damage::Double,
    Damage::DoubleTable,
    Damage::Exchange,
    Damage::Retype,
    Damage::Overflow,
    Damage::Misname,
    Damage::Rename,
    Damage::Cut,
    Damage::Litter,
];

/// Most damages to one file: the more there are, the less is found behind the first.
const MOST: u64 = 3;

const TYPES: [&str; 12] = [
    "true",
    "[]",
    "{}",
    "\"\"",
    "0",
    "-1",
    "1.5",
    "nan",
    "1979-05-27T07:32:00Z",
    "[[1], {}]",
    "{ env = 5 }",
    "\"text\"",
];

const NUMBERS: [&str; 8] = [
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "99999999999999999999999999999",
    "1e999",
    "0xffffffffffffffff",
    "\"99999999999999999999h\"",
    "4294967296",
];

const NAMES: [&str; 10] = [
    "nobody",
    "nobody/nothing",
    "/",
    "only/",
    "{key}",
    "{",
    "127.0.0.1:99999",
    "http://[::",
    "a\\u0000b",
    "\\U0001F600 \\\"quoted\\\"",
];

const LITTER: [&str; 8] = ["\u{0}", "\"", "]", "{", "=", "'''", "\u{feff}", "\u{202e}"];

/// The text with one to three damages, by chance.
pub fn mutated(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=dice.below(MOST) {
        let damage = DAMAGES.get(dice.index(DAMAGES.len())).copied().unwrap_or(Damage::Cut);
        damage.apply(&mut lines, dice);
    }
    lines.join("\n") + "\n"
}

impl Damage {
    fn apply(self, lines: &mut Vec<String>, dice: &mut Dice) {
        let at = dice.index(lines.len());
        let Some(line) = lines.get(at).cloned() else { return };
        match self {
            Self::Delete => drop(lines.remove(at)),
            Self::Double => lines.insert(at, line),
            Self::DoubleTable => double_table(lines, at),
            Self::Exchange => {
                let other = dice.index(lines.len());
                lines.swap(at, other);
            }
            Self::Retype => put(lines, dice, |_, dice| Some(dice.one(&TYPES).to_owned())),
            Self::Overflow => put(lines, dice, |_, dice| Some(dice.one(&NUMBERS).to_owned())),
            Self::Misname => put(lines, dice, misnamed),
            Self::Rename => rename(lines, dice, at),
            Self::Cut => {
                lines.truncate(at + 1);
                let keep = dice.index(line.chars().count());
                put_line(lines, at, line.chars().take(keep).collect());
            }
            Self::Litter => {
                let place = dice.index(line.chars().count() + 1);
                let (before, after): (Vec<_>, Vec<_>) = line.chars().enumerate().partition(|(index, _)| *index < place);
                let text = |part: Vec<(usize, char)>| part.into_iter().map(|(_, char)| char).collect::<String>();
                put_line(lines, at, text(before) + dice.one(&LITTER) + &text(after));
            }
        }
    }
}

fn put_line(lines: &mut [String], at: usize, text: String) {
    if let Some(line) = lines.get_mut(at) {
        *line = text;
    }
}

/// Another value for one of the lines that have one.
fn put(lines: &mut [String], dice: &mut Dice, value: impl Fn(&str, &mut Dice) -> Option<String>) {
    let of_value: Vec<usize> =
        (0..lines.len()).filter(|at| lines.get(*at).is_some_and(|line| line.contains(" = "))).collect();
    let Some(at) = of_value.get(dice.index(of_value.len())).copied() else { return };
    let Some((name, old)) = lines.get(at).and_then(|line| line.split_once(" = ")) else { return };
    if let Some(value) = value(old, dice) {
        let line = format!("{name} = {value}");
        put_line(lines, at, line);
    }
}

/// The value with one of its texts replaced.
fn misnamed(value: &str, dice: &mut Dice) -> Option<String> {
    let parts: Vec<&str> = value.split('"').collect();
    // Every other part stands in quotes.
    let quoted = parts.len() / 2;
    let chosen = (quoted > 0).then(|| dice.index(quoted) * 2 + 1)?;
    let name = dice.one(&NAMES);
    let part = |(index, part): (usize, &&str)| if index == chosen { name.to_owned() } else { (*part).to_owned() };
    Some(parts.iter().enumerate().map(part).collect::<Vec<_>>().join("\""))
}

/// The member of one line gets the name of another's.
fn rename(lines: &mut [String], dice: &mut Dice, at: usize) {
    let other = dice.index(lines.len());
    let name = lines.get(other).and_then(|line| line.split_once(" = ")).map(|(name, _)| name.to_owned());
    let value = lines.get(at).and_then(|line| line.split_once(" = ")).map(|(_, value)| value.to_owned());
    if let (Some(name), Some(value)) = (name, value) {
        put_line(lines, at, format!("{name} = {value}"));
    }
}

fn double_table(lines: &mut Vec<String>, at: usize) {
    let is_head = |line: &&String| line.starts_with('[');
    let from = lines.iter().take(at + 1).rposition(|line| is_head(&line)).unwrap_or(0);
    let length = lines.iter().skip(from + 1).take_while(|line| !is_head(line)).count() + 1;
    let table: Vec<String> = lines.iter().skip(from).take(length).cloned().collect();
    let behind = (from + length).min(lines.len());
    lines.splice(behind..behind, table);
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "demo = false\n[limits]\nmax = 5\n\n[[model]]\nname = \"m\"\noffers = [\"only/m\", \"other/m\"]\n";

    #[test]
    fn the_same_seed_makes_the_same_damage_and_others_make_others() {
        let made = |seed| mutated(FILE, &mut Dice::new(seed));
        assert_eq!(made(7), made(7));
        let different: std::collections::HashSet<String> = (0..200).map(made).collect();
        assert!(different.len() > 150, "{}", different.len());
    }

    #[test]
    fn every_damage_damages() {
        for damage in DAMAGES {
            let damaged = |seed| {
                let mut lines: Vec<String> = FILE.lines().map(str::to_owned).collect();
                damage.apply(&mut lines, &mut Dice::new(seed));
                lines.join("\n") + "\n"
            };
            assert!((0..50).any(|seed| damaged(seed) != FILE), "{damage:?}");
        }
        for damage in DAMAGES {
            let mut nothing = Vec::new();
            damage.apply(&mut nothing, &mut Dice::new(1));
            assert!(nothing.is_empty(), "{damage:?}");
        }
    }

    #[test]
    fn chance_reaches_everything_and_nothing_beyond() {
        let mut dice = Dice::new(1);
        let mut seen = [0_usize; 6];
        (0..6000).for_each(|_| seen[dice.index(6)] += 1);
        assert!(seen.iter().all(|count| (700..1300).contains(count)), "{seen:?}");
        assert_eq!(dice.below(0), 0);
    }
}
