//! What authenticates to providers: the gateway's own headers, and those of accounts.
//!
//! | asked for | answered |
//! |---|---|
//! | a provider, no account | the gateway's header, good until it is another; or the token of its service account, good until it is renewed |
//! | a provider and an account that signed in there itself | its token, good until it is to be renewed |
//! | a provider and another account | the account's own or that of the nearest above it, never the gateway's; good for as long as a Grant |

use tonic::Status;
use tracing::{error, warn};

use super::proto::CredentialResponse;
use super::{GRANT_VALIDITY, millis, unavailable};
use crate::catalog::Credential;
use crate::current::Current;
use crate::oauth::{OAuth, Served, Stuck};
use crate::settings::Auth;
use crate::store::vault::{Entries, Fault};
use crate::vault::Purpose;

/// The gateway's credential for the provider of that id, of which this was `rejected`. Where no token is minted there is none: the
/// next target is asked.
pub(super) async fn of_gateway(current: &Current, oauth: &OAuth, (id, rejected): (&str, &[u8])) -> CredentialResponse {
    match current.credentials.get(id) {
        // Valid until renewed: changes are pushed through Watch.
        Some(Credential::Header(header, value)) => {
            CredentialResponse { header: header.clone(), value: value.expose().into(), ..CredentialResponse::default() }
        }
        Some(Credential::Minted(account)) => {
            oauth.mint(id, account, rejected).await.map_or_else(|_| CredentialResponse::default(), bearer)
        }
        None => {
            warn!(credential = id, "a filter asked for a credential that is not there");
            CredentialResponse::default()
        }
    }
}

/// An account's own for the provider of that id, of which this was `rejected`. When it can't be opened the account has none: somebody else's must not be used in its name.
pub(super) async fn of_account(
    current: &Current,
    (vault, oauth): (&Entries, &OAuth),
    account: &str,
    (id, rejected): (&str, &[u8]),
) -> Result<CredentialResponse, Status> {
    let row = current.catalog.providers.iter().find(|row| row.id == id);
    // What Envoy signs is the gateway's, whatever key it carries.
    let Some(row) = row.filter(|row| row.signing.is_none()) else {
        warn!(credential = id, account, "a filter asked for an account's credential for a provider that takes none");
        return Ok(CredentialResponse::default());
    };
    match oauth.serve_or_exchange(account, id, rejected).await {
        Ok(served) => return Ok(bearer(served)),
        Err(Stuck::None) => {}
        Err(Stuck::Fault(Fault::Failed(error))) => return Err(unavailable(error)),
        Err(stuck) => {
            warn!(credential = id, account, "a session can't be served: {stuck}");
            return Ok(CredentialResponse::default());
        }
    }
    match vault.open(Purpose::Credential, account, id).await {
        Ok(Some((_, secret))) => {
            let (header, value) = row.auth.header(&secret);
            let value = value.expose().into();
            Ok(CredentialResponse {
                header,
                value,
                valid_for_ms: millis(GRANT_VALIDITY),
                revision: 0,
                renewable: false,
            })
        }
        Ok(None) => Ok(CredentialResponse::default()),
        Err(Fault::Failed(error)) => Err(unavailable(error)),
        Err(fault) => {
            error!(credential = id, account, "an account's own credential can't be given: {fault}");
            Ok(CredentialResponse::default())
        }
    }
}

fn bearer(Served { token, valid_for_ms }: Served) -> CredentialResponse {
    let (header, value) = Auth::default().header(&token);
    // To a filter 0 is for ever.
    let valid_for_ms = u64::try_from(valid_for_ms).unwrap_or(0).max(1);
    CredentialResponse { header, value: value.expose().into(), valid_for_ms, revision: 0, renewable: true }
}
