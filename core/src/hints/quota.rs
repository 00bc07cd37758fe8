//! How much of a quota is left, by the headers of an answer.
//!
//! | remaining | of |
//! |---|---|
//! | `x-ratelimit-remaining-requests`, `…-tokens`, … | `x-ratelimit-limit-requests`, … |
//! | `anthropic-ratelimit-requests-remaining`, `…-input-tokens-remaining`, … | `anthropic-ratelimit-requests-limit`, … |
//! | `ratelimit-remaining` | `ratelimit-limit` |

use super::{MAX_VALUE, number};

/// What is left of the quota that is used up most, in thousandths; `None` when nothing is said of any.
pub fn quota_left<'h>(headers: impl Iterator<Item = (&'h str, &'h str)> + Clone) -> Option<u64> {
    let said = |wanted: &str| {
        let found = headers.clone().find(|(name, value)| *name == wanted && value.len() <= MAX_VALUE);
        // A limit may be followed by how it is counted.
        found.and_then(|(_, value)| number(value.split([',', ';']).next()?)).filter(|number| *number >= 0.0)
    };
    let left = |(name, _): (&str, &str)| {
        let (before, after) = name.split_once("remaining").filter(|(before, _)| before.contains("ratelimit-"))?;
        let (remaining, limit) = (said(name)?, said(&format!("{before}limit{after}"))?);
        (limit > 0.0).then(|| (remaining / limit * 1000.0).min(1000.0) as u64)
    };
    headers.clone().filter_map(left).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_quota_counts_in_every_form() {
        type Said = &'static [(&'static str, &'static str)];
        let forms: [(Said, Option<u64>); 8] = [
            (&[("x-ratelimit-remaining-requests", "30"), ("x-ratelimit-limit-requests", "60")], Some(500)),
            (
                &[
                    ("x-ratelimit-remaining-requests", "30"),
                    ("x-ratelimit-limit-requests", "60"),
                    ("x-ratelimit-remaining-tokens", "15"),
                    ("x-ratelimit-limit-tokens", "150000"),
                ],
                Some(0),
            ),
            (
                &[
                    ("anthropic-ratelimit-input-tokens-remaining", "9"),
                    ("anthropic-ratelimit-input-tokens-limit", "10"),
                ],
                Some(900),
            ),
            (&[("ratelimit-remaining", "1"), ("ratelimit-limit", "4, 4;w=60")], Some(250)),
            (&[("x-ratelimit-remaining", "70"), ("x-ratelimit-limit", "60")], Some(1000)),
            (&[("x-ratelimit-remaining", "7")], None),
            (&[("x-ratelimit-remaining", "-7"), ("x-ratelimit-limit", "60")], None),
            (&[("x-ratelimit-remaining", "7"), ("x-ratelimit-limit", "0")], None),
        ];
        for (headers, left) in forms {
            assert_eq!(quota_left(headers.iter().copied()), left, "{headers:?}");
        }
    }
}
