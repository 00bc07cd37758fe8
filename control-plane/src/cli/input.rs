//! What is given to a command besides its arguments.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use super::bad_input::bad;

/// Reads a text file, or the input for `-`, up to that many bytes.
pub fn read(path: &Path, most: u64) -> anyhow::Result<String> {
    let text = String::from_utf8(read_bytes(path, most)?);
    text.map_err(|_| bad(format!("{}: stream did not contain valid UTF-8", path.display())))
}

/// The same of any file.
pub fn read_bytes(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let name = path.display();
    let missing = |error: std::io::Error| bad(format!("{name}: {error}"));
    let mut bytes = Vec::new();
    let count = match path.to_str() {
        Some("-") => std::io::stdin().lock().take(most + 1).read_to_end(&mut bytes),
        _ => std::fs::File::open(path).map_err(missing)?.take(most + 1).read_to_end(&mut bytes),
    };
    if count.map_err(missing)? as u64 > most {
        return Err(bad(format!("{name}: more than the {most} bytes that are read")));
    }
    Ok(bytes)
}

/// One `member=JSON`; a value that is no JSON is a text, so that most need no quotes.
pub fn member(said: &str) -> Result<(String, Value), String> {
    let (name, value) = said.split_once('=').ok_or("a member is said as member=JSON, for instance to=our-model")?;
    if name.is_empty() {
        return Err("the member before `=` has no name".into());
    }
    Ok((name.to_string(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}

/// Members that were said one by one; none twice.
pub fn members(said: Vec<(String, Value)>) -> anyhow::Result<Map<String, Value>> {
    let mut members = Map::new();
    for (name, value) in said {
        if members.contains_key(&name) {
            return Err(bad(format!("`{name}` is said twice")));
        }
        members.insert(name, value);
    }
    Ok(members)
}

/// Members that a file says as one object.
pub fn object(name: &str, text: &str) -> anyhow::Result<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(bad(format!("{name}: this is no JSON object of members"))),
        Err(error) => Err(bad(format!("{name}: this is no JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_that_is_no_json_is_a_text() {
        let value = |said: &str| member(said).map(|(_, value)| value);
        assert_eq!(value("base_url=https://h/?a=b"), Ok(json!("https://h/?a=b")));
        assert_eq!(value(r#"models=["m"]"#), Ok(json!(["m"])));
        assert_eq!(value(r#"models=["m""#), Ok(json!(r#"["m""#)));
        assert_eq!((value("n=7"), value("t=\"7\""), value("e=")), (Ok(json!(7)), Ok(json!("7")), Ok(json!(""))));
        assert!(value("=x").is_err() && value("x").is_err());
    }

    #[test]
    fn nothing_is_said_twice_and_a_file_says_members() {
        assert_eq!(members(vec![("a".into(), json!(1))]).unwrap(), object("f", r#"{"a":1}"#).unwrap());
        assert!(members(vec![("a".into(), json!(1)), ("a".into(), json!(1))]).is_err());
        assert!(object("f", "[]").is_err() && object("f", "{").is_err());
    }
}
