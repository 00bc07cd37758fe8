//! Any JSON as a request of every dialect, written for every dialect: no panic, and what is written is JSON.
#![no_main]

use dragoman_core::dialect::{ALL, Addressee, Endpoint};
use dragoman_core::json::Json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = Json::parse(bytes) else { return };
    for dialect in ALL {
        let endpoint = Endpoint { dialect: dialect.id(), model: None, delivery: None };
        let Ok(request) = dialect.read_request(&endpoint, body) else { continue };
        for other in ALL {
            let written = other.write_request(&request, Addressee { model: "m", output_limit: 4096 });
            assert!(Json::parse(written.body.as_bytes()).is_ok(), "not JSON: {}", written.body);
        }
    }
});
