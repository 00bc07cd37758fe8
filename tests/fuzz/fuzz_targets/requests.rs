//! Any JSON as a request of every dialect, written for every dialect: no panic, and what is written is JSON.
#![no_main]

use dragoman_core::dialect::{ALL, Addressee, Endpoint};
use dragoman_core::hub::foreign::{FullNames, prepare};
use dragoman_core::json::Json;
use dragoman_core::loss::Losses;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = Json::parse(bytes) else { return };
    for dialect in ALL {
        let Some(client) = dialect.client() else { continue };
        let Ok(request) = client.read_request(&Endpoint::generate(dialect.id()), body) else { continue };
        let names = FullNames::of(&request);
        for other in ALL {
            let mut losses = Losses::default();
            let request = prepare(request.clone(), &names, other.id(), "0000000000000000", &mut losses);
            let written = other.write_request(&request, Addressee { output_limit: 4096, ..Addressee::model("m") });
            assert!(Json::parse(written.body.as_bytes()).is_ok(), "not JSON: {}", written.body);
        }
    }
});
