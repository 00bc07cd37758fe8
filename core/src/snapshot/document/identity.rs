//! Identities in a Snapshot.

use super::{plain, string};
use crate::catalog::{Identity, Proof};
use crate::json::{Json, Writer};

pub(super) fn write(row: &Identity, out: &mut Writer) {
    out.object(|out| {
        out.field("name").string(&row.name);
        out.field("mark").string(&row.mark);
        match &row.proof {
            Proof::Token { issuer, claims } => {
                out.field("issuer").string(issuer);
                out.field("claims").array(|out| claims.iter().for_each(|claim| out.string(claim)));
            }
            Proof::Peer { trust_domain } => out.field("trust_domain").string(trust_domain),
        }
    });
}

pub(super) fn read(row: Json<'_>) -> Option<Identity> {
    let proof = match row.get("trust_domain") {
        Some(domain) => Proof::Peer { trust_domain: plain(domain)? },
        None => Proof::Token {
            issuer: string(row, "issuer")?,
            claims: row.get("claims")?.items().map(plain).collect::<Option<_>>()?,
        },
    };
    Some(Identity { name: string(row, "name")?, mark: string(row, "mark")?, proof })
}
