//! Files: nothing is kept, a file's id says all there is to know of it.

use serde_json::{Value, json};

use super::super::shape::{Checked, Complaint, Kind, wrong};
use super::super::{Piece, Production};
use super::multipart::Form;
use crate::simulator::journal::Received;

/// What every id begins with.
const PREFIX: &str = "file-simulated-";

pub(super) fn serve(received: &Received) -> Checked<Production> {
    let rest = received.route().trim_start_matches("/v1/files").trim_start_matches('/');
    match (received.method.as_str(), rest) {
        ("GET", "") => {
            let data = [file(&format!("{PREFIX}7"))?];
            let body = json!({"object": "list", "data": data, "has_more": false, "first_id": data[0]["id"], "last_id": data[0]["id"]});
            Ok(Production::whole(200, &body, None))
        }
        ("POST", "") => upload(received),
        ("GET", id) => match id.strip_suffix("/content") {
            Some(id) => {
                file(id)?;
                let headers = vec![("content-type".to_owned(), "application/octet-stream".to_owned())];
                let pieces = vec![Piece::new(format!("the content of {id}"), 0)];
                Ok(Production { status: 200, headers, pieces, tokens: None })
            }
            None => Ok(Production::whole(200, &file(id)?, None)),
        },
        ("DELETE", id) => {
            file(id)?;
            Ok(Production::whole(200, &json!({"id": id, "object": "file", "deleted": true}), None))
        }
        _ => Err(Complaint::new(Kind::Method, "", "only GET, POST and DELETE are served here")),
    }
}

fn upload(received: &Received) -> Checked<Production> {
    let form = Form::of(received)?;
    let purpose = form.text("purpose").ok_or_else(|| wrong("purpose", "field required"))?;
    let upload = form.file("file").ok_or_else(|| wrong("file", "field required"))?;
    let mut object = file(&format!("{PREFIX}{}", upload.bytes.len()))?;
    object["purpose"] = json!(purpose);
    object["filename"] = json!(upload.name);
    Ok(Production::whole(200, &object, None))
}

/// The file of an id, which ends in how long it is.
fn file(id: &str) -> Checked<Value> {
    let length = id.strip_prefix(PREFIX).and_then(|length| length.parse::<u64>().ok());
    let unknown = || Complaint::new(Kind::NotFound, "id", format!("No such File object: {id}"));
    let length = length.ok_or_else(unknown)?;
    Ok(json!({
        "id": id,
        "object": "file",
        "bytes": length,
        "created_at": 1_790_000_000,
        "filename": "simulated.txt",
        "purpose": "user_data",
        "status": "processed",
    }))
}
