//! Secrets come by reference, and are never printed.

use std::fmt;

use zeroize::Zeroize;

/// A value that can't be printed: neither by `Debug` nor by `Display`, which it does not have.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value into hiding.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    /// What is freed is written over by others at some time; this is at once.
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// Where a secret is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// Names of environment variables; the first that is set and not empty gives the value.
    pub env: Vec<String>,
}

impl SecretRef {
    /// The secret, if any of the variables has one. White space around it is a slip of copying and is cut off.
    pub fn resolve(&self, environment: &dyn Fn(&str) -> Option<String>) -> Option<Secret> {
        let mut values = self.env.iter().filter_map(|name| environment(name));
        values.find(|value| !value.trim().is_empty()).map(|value| Secret::new(value.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("sk-1")), "Secret(…)");
    }

    #[test]
    fn the_first_variable_that_has_a_value_gives_it() {
        let environment = |name: &str| match name {
            "EMPTY" => Some(" ".to_string()),
            "SET" => Some("sk-1\n".to_string()),
            _ => None,
        };
        let reference = |names: &[&str]| SecretRef { env: names.iter().map(|name| name.to_string()).collect() };
        assert_eq!(reference(&["NONE", "EMPTY", "SET"]).resolve(&environment), Some(Secret::new("sk-1")));
        assert_eq!(reference(&["NONE", "EMPTY"]).resolve(&environment), None);
    }
}
