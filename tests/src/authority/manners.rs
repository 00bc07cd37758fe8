//! How a server behaves: what it knows of its client, what its person says, what it does wrong.

use std::time::Duration;

/// All of it. A test may change any of it at any time.
#[derive(Clone, Debug)]
pub struct Manners {
    /// Its only client.
    pub client: String,
    /// What that client authenticates with; none of a public one.
    pub secret: Option<String>,
    /// The public half of the RSA key that a service account signs with (RFC 7523), as PKCS #1; none: nobody may.
    pub key: Option<Vec<u8>>,
    /// Where it may send browsers back to.
    pub redirects: Redirects,
    /// How requests for tokens are written.
    pub style: Style,
    /// What its person says.
    pub decision: Decision,
    /// Who it says it is when it sends a browser back.
    pub issuer: Issuer,
    /// What becomes of a refresh token that was used.
    pub rotation: Rotation,
    /// What it grants; nothing said: what was asked for.
    pub scopes: Option<String>,
    /// How long an access token is good.
    pub access_lasts: Duration,
    /// How long a token is that one is exchanged for.
    pub exchanged_lasts: Duration,
    /// How long a code is.
    pub code_lasts: Duration,
    /// How long a device may wait for its person.
    pub device_lasts: Duration,
    /// How long a device waits between two polls.
    pub interval: Duration,
    /// The page it sends a device's person to, when it is not its own.
    pub verification: Option<String>,
}

/// How requests for tokens are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As RFC 6749 says.
    Form,
    /// As JSON, which some want.
    Json,
}

/// Where browsers may be sent back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// Here and nowhere else, to the letter.
    Exactly(Vec<String>),
    /// Wherever the request says: a server that is too kind.
    Anywhere,
}

/// What becomes of a browser that comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is sent back with a code at once.
    Approve,
    /// It is sent back without one.
    Deny,
    /// It is shown a page with two buttons.
    Ask,
    /// It is sent back with exactly these parameters; `{code}` and `{state}` stand for the real ones.
    Say(Vec<(String, String)>),
    /// It is sent on to another server's page in the name of that one's client: the attacker's part in a mix-up.
    SendOn {
        /// The other's page.
        authorize: String,
        /// The other's client.
        client: String,
    },
}

/// What stands in `iss`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Its own name.
    Own,
    /// Another's.
    Other(String),
    /// There is none.
    Nobody,
}

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It stays the same.
    Never,
    /// There is a new one, and who uses the old one again ends the family.
    Strict,
    /// The same, but the one before the newest is good for so long after its use: an answer may have been lost.
    Lenient(Duration),
}

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this and nothing is done.
    Answer(u16, String),
    /// It is done, and answered so much later.
    Late(Duration),
    /// It is done, and the connection is cut behind so many bytes of the answer.
    Cut(usize),
    /// Nothing is done and nothing answered.
    Lost,
}

impl Manners {
    /// Good ones: a public client that may send browsers anywhere, a person who agrees, tokens of an hour that rotate.
    pub fn of(client: &str) -> Self {
        Self {
            client: client.to_owned(),
            secret: None,
            key: None,
            redirects: Redirects::Anywhere,
            style: Style::Form,
            decision: Decision::Approve,
            issuer: Issuer::Own,
            rotation: Rotation::Strict,
            scopes: None,
            access_lasts: Duration::from_secs(3600),
            exchanged_lasts: Duration::from_secs(1500),
            code_lasts: Duration::from_secs(60),
            device_lasts: Duration::from_secs(600),
            interval: Duration::from_secs(1),
            verification: None,
        }
    }

    /// The same with a secret.
    pub fn with_secret(self, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), ..self }
    }
}
