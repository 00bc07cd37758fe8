//! Whole numbers as JSON has them: `60`, `60.0` and `6e1` are the same number to everybody but Rust.

use serde::de::{Deserializer, Error};
use serde::{Deserialize, de};
use utoipa::openapi::schema::{Array, ArrayBuilder, ObjectBuilder, SchemaType, Type};

/// Above this, not every whole number is a number of JSON any more.
const MOST: f64 = 9_007_199_254_740_992.0;

/// A whole number.
struct Whole(u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Whole, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl de::Visitor<'_> for Reader {
    type Value = Whole;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a whole number that is not negative")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
        let is_whole = number.fract() == 0.0 && (0.0..=MOST).contains(&number);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
        let whole = is_whole.then_some(Whole(number as u64));
        whole.ok_or_else(|| E::custom("not a whole number that is not negative"))
    }
}

/// One that may be left out or null.
pub fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<Whole>::deserialize(from)?.map(|whole| whole.0))
}

/// One that is said.
pub fn number<'de, D: Deserializer<'de>, T: TryFrom<u64>>(from: D) -> Result<T, D::Error> {
    T::try_from(Whole::deserialize(from)?.0).map_err(|_| D::Error::custom("the number is too high"))
}

/// Shares in percent, that may be left out or null.
pub fn shares<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    let Some(list) = Option::<Vec<Whole>>::deserialize(from)? else { return Ok(None) };
    let shares: Result<Vec<u8>, _> = list.into_iter().map(|whole| u8::try_from(whole.0)).collect();
    shares.map(Some).map_err(|_| D::Error::custom("a share is 1 to 255 percent"))
}

/// How a description says the latter.
pub fn shares_schema() -> Array {
    let share = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(255));
    ArrayBuilder::new().schema_type(SchemaType::from_iter([Type::Array, Type::Null])).items(share).build()
}

#[cfg(test)]
mod tests {
    use super::super::BudgetTerms;

    #[test]
    fn a_whole_number_is_whole_however_it_is_written() {
        let tokens = |text: &str| {
            serde_json::from_str::<BudgetTerms>(&format!(r#"{{"tokens":{text}}}"#)).map(|terms| terms.tokens)
        };
        for (text, number) in [("60", Some(60)), ("60.0", Some(60)), ("6e1", Some(60)), ("null", None)] {
            assert_eq!(tokens(text).unwrap(), number, "{text}");
        }
        for wrong in ["-1", "0.5", "1e300", "\"1\"", "true", "[1]"] {
            assert!(tokens(wrong).is_err(), "{wrong}");
        }
        let shares = |text: &str| {
            serde_json::from_str::<BudgetTerms>(&format!(r#"{{"tell_at":{text}}}"#)).map(|terms| terms.tell_at)
        };
        assert_eq!(shares("[50,80.0]").unwrap(), Some(vec![50, 80]));
        assert!(shares("[300]").is_err());
    }
}
