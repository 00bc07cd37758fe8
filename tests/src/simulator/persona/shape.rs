//! The checks every dialect makes of a body: the right members, each of the right shape.

use serde_json::{Map, Value};

use super::Dialect;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What kind of refusal.
    pub kind: Kind,
    /// Where in the request, `messages[1].content`; empty for the whole.
    pub place: String,
    /// What is wrong there.
    pub message: String,
}

/// What kind of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request has the wrong shape.
    Invalid,
    /// The key is missing.
    NoAuth,
    /// The key is wrong or in the wrong place.
    Auth,
    /// The model or path does not exist.
    NotFound,
    /// The path exists and the method does not.
    Method,
}

impl Complaint {
    /// A refusal of something at a place.
    pub fn new(kind: Kind, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, place: place.into(), message: message.into() }
    }

    /// The status this provider uses for it.
    pub fn status(&self, dialect: Dialect) -> u16 {
        match (self.kind, dialect) {
            // The real one answers a wrong key with 400 API_KEY_INVALID.
            (Kind::Invalid, _) | (Kind::Auth, Dialect::Gemini) => 400,
            (Kind::NoAuth, Dialect::Gemini) | (Kind::Auth | Kind::NoAuth, Dialect::Converse) => 403,
            (Kind::Auth | Kind::NoAuth, _) => 401,
            (Kind::NotFound, _) => 404,
            (Kind::Method, _) => 405,
        }
    }

    /// Place and message in one line.
    pub fn line(&self) -> String {
        match self.place.as_str() {
            "" => self.message.clone(),
            place => format!("{place}: {}", self.message),
        }
    }
}

/// The result of a check.
pub type Checked<T> = Result<T, Complaint>;

/// A request with the wrong shape.
pub fn wrong(place: &str, message: impl Into<String>) -> Complaint {
    Complaint::new(Kind::Invalid, place, message)
}

/// One JSON object and where it stands.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    /// Where it stands, for complaints.
    pub place: String,
    members: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// An object that has no members but these; other names are refused, as the real providers do.
    pub fn of(value: &'a Value, place: &str, allowed: &[&str]) -> Checked<Self> {
        let object = Self::any(value, place)?;
        match object.members.keys().find(|name| !allowed.contains(&name.as_str())) {
            Some(name) => Err(wrong(&object.at(name), "unknown name")),
            None => Ok(object),
        }
    }

    /// An object with any members.
    pub fn any(value: &'a Value, place: &str) -> Checked<Self> {
        let members = value.as_object().ok_or_else(|| wrong(place, "must be an object"))?;
        Ok(Self { place: place.to_owned(), members })
    }

    /// Where a member stands.
    pub fn at(&self, name: &str) -> String {
        match self.place.as_str() {
            "" => name.to_owned(),
            place => format!("{place}.{name}"),
        }
    }

    /// A complaint about a member.
    pub fn wrong(&self, name: &str, message: impl Into<String>) -> Complaint {
        wrong(&self.at(name), message)
    }

    /// A member that is there and not null.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Whether a member is there, even as null.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A member that must be there.
    pub fn need(&self, name: &str) -> Checked<&'a Value> {
        self.get(name).ok_or_else(|| self.wrong(name, "field required"))
    }

    /// A string that must be there.
    pub fn text(&self, name: &str) -> Checked<&'a str> {
        self.need(name)?.as_str().ok_or_else(|| self.wrong(name, "must be a string"))
    }

    /// A string that may be absent.
    pub fn maybe_text(&self, name: &str) -> Checked<Option<&'a str>> {
        self.get(name).map(|_| self.text(name)).transpose()
    }

    /// A boolean; absent is `false`.
    pub fn flag(&self, name: &str) -> Checked<bool> {
        match self.get(name) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong(name, "must be a boolean")),
        }
    }

    /// A whole number in a range, or absent.
    pub fn integer(&self, name: &str, least: i64, most: i64) -> Checked<Option<i64>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        // 40.0 is an integer to JSON Schema and to protobuf's JSON.
        #[expect(clippy::cast_possible_truncation, reason = "only whole numbers in range come through")]
        let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64);
        let number = value
            .as_i64()
            .or_else(|| value.as_f64().and_then(whole))
            .ok_or_else(|| self.wrong(name, "must be an integer"))?;
        match (least..=most).contains(&number) {
            true => Ok(Some(number)),
            false => Err(self.wrong(name, format!("must be from {least} to {most}"))),
        }
    }

    /// A number in a range, or absent.
    pub fn number(&self, name: &str, least: f64, most: f64) -> Checked<Option<f64>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_f64().ok_or_else(|| self.wrong(name, "must be a number"))?;
        match (least..=most).contains(&number) {
            true => Ok(Some(number)),
            false => Err(self.wrong(name, format!("must be from {least} to {most}"))),
        }
    }

    /// One of these words, or absent.
    pub fn word(&self, name: &str, allowed: &[&str]) -> Checked<Option<&'a str>> {
        match self.maybe_text(name)? {
            Some(word) if !allowed.contains(&word) => {
                Err(self.wrong(name, format!("`{word}` is none of {}", allowed.join(", "))))
            }
            word => Ok(word),
        }
    }

    /// A list; absent is empty.
    pub fn list(&self, name: &str) -> Checked<&'a [Value]> {
        match self.get(name) {
            None => Ok(&[]),
            Some(value) => Ok(value.as_array().ok_or_else(|| self.wrong(name, "must be an array"))?),
        }
    }

    /// A list with something in it.
    pub fn full_list(&self, name: &str) -> Checked<&'a [Value]> {
        match self.list(name)? {
            [] => Err(self.wrong(name, "must not be empty")),
            list => Ok(list),
        }
    }

    /// A list of strings, at most so many.
    pub fn texts(&self, name: &str, most: usize) -> Checked<Vec<String>> {
        let list = self.list(name)?;
        if list.len() > most {
            return Err(self.wrong(name, format!("at most {most}")));
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        list.iter().map(text).collect::<Option<_>>().ok_or_else(|| self.wrong(name, "must be strings"))
    }
}

/// A JSON schema as its standard has it: types in lower case. Gemini's own spelling (`OBJECT`) is refused.
pub fn json_schema(value: &Value, place: &str) -> Checked<()> {
    const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];
    let is_type = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
    let object = Object::any(value, place)?;
    match object.get("type") {
        None => {}
        Some(Value::Array(types)) if types.iter().all(is_type) => {}
        Some(one) if is_type(one) => {}
        Some(other) => return Err(object.wrong("type", format!("JSON schema is invalid: {other} is no type"))),
    }
    for (name, property) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
        json_schema(property, &format!("{}.{name}", object.at("properties")))?;
    }
    if let Some(items @ Value::Object(_)) = object.get("items") {
        json_schema(items, &object.at("items"))?;
    }
    for union in ["anyOf", "oneOf", "allOf"] {
        for branch in object.list(union)? {
            json_schema(branch, &object.at(union))?;
        }
    }
    Ok(())
}

/// Whether every object in the schema says `additionalProperties: false`, which strict modes ask for.
pub fn closed_schema(value: &Value, place: &str) -> Checked<()> {
    let object = Object::any(value, place)?;
    if object.get("type") == Some(&Value::from("object"))
        && object.get("additionalProperties") != Some(&Value::Bool(false))
    {
        return Err(object.wrong("additionalProperties", "must be explicitly set to false for objects"));
    }
    for (name, property) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
        closed_schema(property, &format!("{}.{name}", object.at("properties")))?;
    }
    match object.get("items") {
        Some(items @ Value::Object(_)) => closed_schema(items, &object.at("items")),
        _ => Ok(()),
    }
}

/// A function's name: letters, digits, `_` and `-`, and for Gemini dots and colons as well; 64 at most.
pub fn function_name(name: &str, place: &str, dialect: Dialect) -> Checked<()> {
    let extra = if dialect == Dialect::Gemini { "_-.:" } else { "_-" };
    let good = |letter: char| letter.is_ascii_alphanumeric() || extra.contains(letter);
    match (1..=64).contains(&name.len()) && name.chars().all(good) {
        true => Ok(()),
        false => Err(wrong(place, format!("`{name}` is no function name"))),
    }
}

/// Base64 that decodes and is not empty.
pub fn base64(text: &str, place: &str) -> Checked<()> {
    let body = text.trim_end_matches('=');
    let letters = body.chars().all(|letter| letter.is_ascii_alphanumeric() || "+/-_".contains(letter));
    match letters && !body.is_empty() && text.len().is_multiple_of(4) && text.len() - body.len() <= 2 {
        true => Ok(()),
        false => Err(wrong(place, "is no base64")),
    }
}
