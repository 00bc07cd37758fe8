//! Identities in a Snapshot.

use crate::catalog::{Identity, Proof};
use crate::json::{Json, Writer};

pub(super) fn write(row: &Identity, out: &mut Writer) {
    out.object(|out| {
        out.field("name").string(&row.name);
        out.field("mark").string(&row.mark);
        match &row.proof {
            Proof::Token { issuer, claims } => {
                out.field("issuer").string(issuer);
                out.field("claims").strings(claims);
            }
            Proof::Peer { trust_domain } => out.field("trust_domain").string(trust_domain),
        }
    });
}

pub(super) fn read(row: Json<'_>) -> Option<Identity> {
    let proof = match row.get("trust_domain") {
        Some(domain) => Proof::Peer { trust_domain: domain.string()? },
        None => Proof::Token {
            issuer: row.get("issuer").and_then(Json::string)?,
            claims: row.get("claims")?.items().map(Json::string).collect::<Option<_>>()?,
        },
    };
    Some(Identity {
        name: row.get("name").and_then(Json::string)?,
        mark: row.get("mark").and_then(Json::string)?,
        proof,
    })
}
