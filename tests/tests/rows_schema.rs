//! The schemas of rows say what the reader says, as a JSON Schema validator understands them. The reader is asked the same in
//! `control-plane/src/admin/schema/tests.rs`.
#![allow(clippy::expect_used, reason = "a test says what it expected")]

use std::path::Path;
use std::process::Command;

use dragoman_tests::gateway::python;

/// Prints every case in which the validator thinks otherwise, and at last how many there were.
const JUDGE: &str = r##"
import json, sys
import jsonschema_rs

schemas, cases = (json.load(open(path)) for path in sys.argv[1:])
judges = {
    name: jsonschema_rs.validator_for({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": f"#/components/schemas/{name}",
        "components": {"schemas": schemas},
    })
    for name in schemas
}
for kind, verdict, row in cases:
    if judges[f"{kind}_row"].is_valid(row) != (verdict != "bad"):
        print(kind, verdict, json.dumps(row))
print(len(cases), "cases")
"##;

#[test]
fn the_schemas_of_rows_allow_what_is_good_and_forbid_what_is_bad() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../control-plane");
    let mut judge = Command::new(python().expect("a Python"));
    judge.args(["-c", JUDGE]).arg(root.join("catalog/rows.schema.json")).arg(root.join("src/admin/schema/cases.json"));
    let judged = judge.output().expect("an end");
    let (said, troubles) = (String::from_utf8_lossy(&judged.stdout), String::from_utf8_lossy(&judged.stderr));
    assert!(judged.status.success(), "{troubles}");
    assert!(said.lines().count() == 1 && said.ends_with(" cases\n") && !said.starts_with("0 "), "{said}");
}
