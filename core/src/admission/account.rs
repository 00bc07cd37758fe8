//! Names of accounts: the path from the tenant, with dots between (`acme.research.search`).

/// Longest word of a name, in bytes.
const MAX_WORD: usize = 64;

/// Most words: tenant, department, team, user.
const MAX_WORDS: usize = 4;

/// Whether this can be an account's id.
pub fn is_account(id: &str) -> bool {
    let word = |word: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        !word.is_empty() && word.len() <= MAX_WORD && word.bytes().all(plain) && !word.starts_with(['-', '_'])
    };
    // Keys hold budgets too, and are told from accounts by how they begin.
    id.split('.').count() <= MAX_WORDS && id.split('.').all(word) && !id.starts_with("key_")
}

/// Whether an account is `root` or stands below it. Nothing stands below no account.
pub fn is_within(account: &str, root: &str) -> bool {
    let rest = account.strip_prefix(root).filter(|_| !root.is_empty());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// An account and all above it, from its tenant.
pub(crate) fn ancestors(account: &str) -> impl Iterator<Item = &str> {
    let ends = account.match_indices('.').map(|(at, _)| at).chain([account.len()]);
    ends.filter_map(|end| account.get(..end)).filter(|account| !account.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_path_of_plain_words_and_no_key() {
        for good in ["acme", "acme.research", "a.b.c.d", "a-1_b.0"] {
            assert!(is_account(good), "{good}");
        }
        for wrong in ["", ".", "a.", ".a", "a..b", "A", "a b", "a/b", "é", "-a", "_a", "a.b.c.d.e", "key_1", "a%"] {
            assert!(!is_account(wrong), "{wrong}");
        }
        assert!(!is_account(&"a".repeat(MAX_WORD + 1)));
    }

    #[test]
    fn a_subtree_is_an_account_and_what_is_below_it() {
        for (account, root, within) in [
            ("acme", "acme", true),
            ("acme.a", "acme", true),
            ("acme.a.b", "acme.a", true),
            ("acme", "acme.a", false),
            ("acme-x", "acme", false),
            ("acme", "", false),
            ("", "", false),
        ] {
            assert_eq!(is_within(account, root), within, "{account} within {root}");
        }
        assert_eq!(ancestors("acme.a.b").collect::<Vec<_>>(), ["acme", "acme.a", "acme.a.b"]);
        assert_eq!(ancestors("").count(), 0);
    }
}
