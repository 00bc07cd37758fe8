//! The messages of the contract with the control plane (`dragoman.v1`), as far as they have bytes.
//!
//! Why so: they are few and small, so they stand here by hand and the module needs no compiler for them. A test holds each
//! field against the contract's own file.
//!
//! Limits: what the messages mean is said there, not here.

#![allow(missing_docs, reason = "the contract's own file documents its messages")]

use prost::Message;

/// The service's full name.
pub const SERVICE: &str = "dragoman.v1.DataPlane";

#[derive(Clone, PartialEq, Message)]
pub struct WatchRequest {
    #[prost(string, tag = "1")]
    pub vm: String,
    #[prost(uint64, tag = "2")]
    pub version: u64,
    #[prost(string, tag = "3")]
    pub refused: String,
    #[prost(uint64, tag = "4")]
    pub revision: u64,
    #[prost(string, tag = "5")]
    pub artifact: String,
    #[prost(string, repeated, tag = "6")]
    pub named_artifacts: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SnapshotUpdate {
    #[prost(uint64, tag = "1")]
    pub version: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub snapshot: Vec<u8>,
    #[prost(string, repeated, tag = "4")]
    pub renewed_credentials: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    pub changes: Vec<Change>,
    #[prost(uint64, tag = "6")]
    pub revision: u64,
    #[prost(message, optional, tag = "7")]
    pub cool_downs: Option<CoolDowns>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub health: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "9")]
    pub artifact: Option<Vec<u8>>,
    #[prost(message, optional, tag = "10")]
    pub named_artifacts: Option<NamedArtifacts>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NamedArtifacts {
    #[prost(string, repeated, tag = "1")]
    pub digests: Vec<String>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub files: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CoolDowns {
    #[prost(message, repeated, tag = "1")]
    pub list: Vec<CoolDown>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CoolDown {
    #[prost(string, tag = "1")]
    pub provider: String,
    #[prost(string, tag = "2")]
    pub bearer: String,
    #[prost(uint64, tag = "3")]
    pub until_ms: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Change {
    #[prost(uint64, tag = "1")]
    pub revision: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub key_digest: Vec<u8>,
    #[prost(string, tag = "3")]
    pub account: String,
    #[prost(string, tag = "4")]
    pub credential: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct AdmitRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub key_digest: Vec<u8>,
    #[prost(string, tag = "2")]
    pub vm: String,
    #[prost(bytes = "vec", tag = "3")]
    pub identity: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AdmitResponse {
    #[prost(bytes = "vec", tag = "1")]
    pub grant: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub valid_for_ms: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub leases: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct LendRequest {
    #[prost(string, tag = "1")]
    pub vm: String,
    #[prost(string, tag = "2")]
    pub exchange: String,
    #[prost(message, repeated, tag = "3")]
    pub wants: Vec<Want>,
    #[prost(string, tag = "4")]
    pub caller: String,
    #[prost(string, tag = "5")]
    pub account: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Want {
    #[prost(string, tag = "1")]
    pub budget: String,
    #[prost(uint64, tag = "2")]
    pub window_ms: u64,
    #[prost(uint64, tag = "3")]
    pub taken: u64,
    #[prost(uint64, tag = "4")]
    pub wanted: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct LendResponse {
    #[prost(bytes = "vec", tag = "1")]
    pub leases: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CredentialRequest {
    #[prost(string, tag = "1")]
    pub credential: String,
    #[prost(string, tag = "2")]
    pub caller: String,
    #[prost(bytes = "vec", tag = "3")]
    pub rejected: Vec<u8>,
}

// Holds a secret, so it must not be printed.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct CredentialResponse {
    #[prost(string, tag = "1")]
    pub header: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
    #[prost(uint64, tag = "3")]
    pub valid_for_ms: u64,
    #[prost(uint64, tag = "4")]
    pub revision: u64,
    #[prost(bool, tag = "5")]
    pub renewable: bool,
}

impl std::fmt::Debug for CredentialResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialResponse").field("header", &self.header).finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Message)]
pub struct FeedbackRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub opinion: Vec<u8>,
    #[prost(string, tag = "2")]
    pub caller: String,
    #[prost(string, tag = "3")]
    pub account: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct FeedbackResponse {
    #[prost(bytes = "vec", tag = "1")]
    pub kept: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SettleRequest {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub records: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SettleResponse {
    #[prost(string, repeated, tag = "1")]
    pub settled: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Field by `Message.field`: its type, with `repeated` before it where it is, and its number.
    type Fields = BTreeMap<String, String>;

    fn of_contract(text: &str) -> (Fields, Vec<String>) {
        let (mut fields, mut message, mut methods) = (Fields::new(), "", Vec::new());
        for line in text.lines().map(|line| line.split("//").next().unwrap().trim()).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.trim_end_matches(['{', ';', ' ']).split_whitespace().collect();
            match words[..] {
                ["message", name] => message = name,
                ["reserved", ..] => {}
                ["rpc", ..] => methods.push(words[1].split('(').next().unwrap().to_string()),
                [.., name, "=", number] if !message.is_empty() => {
                    let kind = words[..words.len() - 3].join(" ");
                    fields.insert(format!("{message}.{name}"), format!("{kind} = {number}"));
                }
                _ => {}
            }
        }
        (fields, methods)
    }

    fn of_this_file(text: &str) -> Fields {
        let (mut fields, mut message, mut attribute) = (Fields::new(), "", "");
        for line in text.lines().map(str::trim).take_while(|line| !line.starts_with("mod tests")) {
            if let Some(name) = line.strip_prefix("pub struct ") {
                message = name.trim_end_matches(" {");
            } else if let Some(inside) = line.strip_prefix("#[prost(") {
                attribute = inside.trim_end_matches(")]");
            } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|line| line.split_once(": "))
                && let Some((kind, number)) = attribute.split_once(", tag = ")
            {
                let kind = kind.replace("bytes = \"vec\"", "bytes");
                let inner = line.split_once('<').map_or("", |(_, rest)| rest.trim_end_matches([',', '>']));
                let kind = match kind.split_once(", ") {
                    Some(("message", "repeated")) => format!("repeated {inner}"),
                    Some(("message", "optional")) => inner.to_owned(),
                    Some((item, "optional")) => format!("optional {item}"),
                    Some((item, "repeated")) => format!("repeated {item}"),
                    _ => kind,
                };
                fields.insert(format!("{message}.{name}"), format!("{kind} = {}", number.trim_matches('"')));
                attribute = "";
            }
        }
        fields
    }

    #[test]
    fn every_field_has_the_contracts_name_number_and_type() {
        let text = include_str!("../../control-plane/proto/dragoman/v1/data_plane.proto");
        let (contract, methods) = of_contract(text);
        assert!(contract.len() > 10, "the contract was not understood: {contract:?}");
        assert_eq!(of_this_file(include_str!("contract.rs")), contract);
        assert_eq!(methods, ["Watch", "Admit", "Lend", "Credential", "Feedback", "Settle"]);
        let (package, service) = SERVICE.rsplit_once('.').unwrap();
        assert!(text.contains(&format!("package {package};")) && text.contains(&format!("service {service} {{")));
    }

    #[test]
    fn a_credential_is_never_printed() {
        let answer = CredentialResponse {
            header: "x-api-key".into(),
            value: b"hidden".to_vec(),
            valid_for_ms: 0,
            revision: 0,
            renewable: false,
        };
        assert!(!format!("{answer:?}").contains("104"));
    }
}
