//! Any bytes: no panic, and whatever is accepted can be walked to its leaves.
#![no_main]

use dragoman_core::json::{Json, Kind};
use libfuzzer_sys::fuzz_target;

fn walk(value: Json<'_>) -> usize {
    match value.kind() {
        Kind::Object => value.members().map(|(name, member)| name.decode().len() + walk(member)).sum(),
        Kind::Array => value.items().map(walk).sum(),
        Kind::String => value.text().map_or(0, |text| text.decode().len()),
        Kind::Number => usize::from(value.f64().is_some() || value.u64().is_some()),
        Kind::Bool | Kind::Null => 1,
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(json) = Json::parse(bytes) {
        walk(json);
    }
});
