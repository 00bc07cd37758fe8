//! Law 3 on any bytes: an edited object is JSON, and the named members read back as set.
#![no_main]

use dragoman_core::json::edit::{Edit, edit};
use dragoman_core::json::{Json, Kind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(json) = Json::parse(bytes) else { return };
    if json.kind() != Kind::Object {
        return;
    }
    let edits = [Edit::Set("model", "\"m\"".into()), Edit::Remove("a"), Edit::Rename("b", "c")];
    let edited = edit(json, &edits);
    let again = Json::parse(edited.as_bytes()).expect("an edited object is JSON");
    assert_eq!(again.get("model").map(Json::as_str), Some("\"m\""));
    assert!(again.get("a").is_none() && again.get("b").is_none());
});
