//! Who made a proof: a thought's or call's signature is worth something to its maker only.
//!
//! A client keeps the proofs it was given and sends them back with the next turn, to whichever provider that goes. So an
//! interpreted answer's proofs are marked with their maker, and before a request is written for a target the marks decide:
//!
//! | the proof | to its maker | to somebody else |
//! |---|---|---|
//! | marked | goes back verbatim, without the mark | is withheld |
//! | unmarked (it was relayed) in the caller's own dialect | goes as it is | goes as it is |
//! | unmarked, to another dialect | | is withheld |
//!
//! Some dialects demand that a proof is base64. There the marked proof as a whole is **sealed**: encoded once more.
//!
//! A relayed answer is never touched, so its proofs are unmarked; whoever serves the same dialect can check them.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::{Part, Request};
use crate::catalog::DialectId;
use crate::json::{Json, Text};

/// How a marked proof begins; then the maker's [`crate::catalog::slot`], a colon and the proof.
pub const MARK: &str = "dgm1:";

/// The maker of proofs that nobody made: a thought that is marked so is told to nobody in the dialect that wants proofs.
pub const NOBODY: &str = "0000000000000000";

/// Length of a maker's name in a mark, in bytes.
const MAKER: usize = 16;

/// What stands before a proof of `maker`, which must be a [`crate::catalog::slot`].
pub fn mark(maker: &str) -> String {
    format!("{MARK}{maker}:")
}

/// The maker and the proof of a marked proof; `None` when it has no mark.
pub fn read(signature: Text<'_>) -> Option<(&str, Text<'_>)> {
    let (maker, proof) = signature.raw().strip_prefix(MARK)?.split_at_checked(MAKER)?;
    Some((maker, Text::escaped(proof.strip_prefix(':')?)))
}

/// Reads base64 with or without its padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a sealed proof begins: what every marked proof has in common when it is base64.
const SEAL: &str = "ZGdtMT";

/// A marked proof for dialects whose proofs must be base64; any other is given back as it is.
pub fn sealed(proof: Text<'_>) -> Cow<'_, str> {
    match read(proof) {
        Some(_) => STANDARD.encode(proof.raw()).into(),
        None => proof.raw().into(),
    }
}

/// The marked proof that was sealed; `None` when it is none. Escaped text, as it was.
pub fn opened(signature: Text<'_>) -> Option<String> {
    let sealed = signature.raw().strip_prefix(SEAL).map(|_| signature.decode())?;
    // Some clients take it for bytes, and write those in the other alphabet.
    let standard: Vec<u8> = sealed
        .bytes()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    let marked = String::from_utf8(LENIENT.decode(standard).ok()?).ok()?;
    let sound = read(Text::escaped(&marked)).is_some() && Json::parse(format!("\"{marked}\"").as_bytes()).is_ok();
    sound.then_some(marked)
}

/// Whether a proof says that nobody made it.
pub fn is_nobodys(signature: Text<'_>) -> bool {
    read(signature).is_some_and(|(maker, _)| maker == NOBODY)
}

/// Whether a body may hold marked proofs.
pub fn is_in(body: &[u8]) -> bool {
    [MARK, SEAL].iter().any(|mark| memchr::memmem::find(body, mark.as_bytes()).is_some())
}

/// Takes out of a request what the target cannot check, before it is written in the dialect `to` for the provider `maker`.
/// Afterwards every signature in it belongs to the target and is to be written. Gives back whether anything was withheld.
pub fn withhold(request: &mut Request<'_>, to: DialectId, maker: &str) -> bool {
    let own = request.dialect == to;
    let mut withheld = false;
    let mut keep = |signature: &mut Option<Text<'_>>| -> bool {
        let Some(proof) = *signature else { return true };
        *signature = match read(proof) {
            Some((made_by, proof)) if made_by == maker => Some(proof),
            None if own => Some(proof),
            Some(_) | None => None,
        };
        withheld |= signature.is_none();
        signature.is_some()
    };
    for turn in &mut request.turns {
        turn.parts.retain_mut(|part| match part {
            // In its own dialect a thought without its proof is refused; elsewhere the words may still be said.
            Part::Thinking(thought) => keep(&mut thought.signature) || !own,
            Part::ToolCall(call) => {
                keep(&mut call.signature);
                true
            }
            _ => true,
        });
    }
    request.withheld |= withheld;
    if withheld && own {
        request.turns.retain(|turn| !turn.parts.is_empty());
    }
    withheld
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Delivery, Role, Shape, Thinking, Turn};

    const A: &str = "00000000000000aa";
    const B: &str = "00000000000000bb";

    fn thought(signature: &str) -> Request<'_> {
        let mut request = Request::new(DialectId::Messages, Delivery::Whole);
        let signature = Some(Text::escaped(signature));
        let part = Part::Thinking(Thinking { text: Text::escaped("t"), signature, extra: Vec::new() });
        request.turns.push(Turn { role: Role::Assistant, parts: vec![part], shape: Shape::List, extra: Vec::new() });
        request
    }

    fn proof_of(request: &Request<'_>) -> Option<Option<String>> {
        match request.turns.first()?.parts.first()? {
            Part::Thinking(thought) => Some(thought.signature.map(|text| text.raw().to_string())),
            _ => None,
        }
    }

    #[test]
    fn a_proof_goes_back_to_its_maker_without_the_mark() {
        let marked = format!("{}sig==", mark(A));
        for to in [DialectId::Messages, DialectId::GenerateContent] {
            let mut request = thought(&marked);
            assert!(!withhold(&mut request, to, A));
            assert_eq!(proof_of(&request), Some(Some("sig==".into())));
        }
    }

    #[test]
    fn a_proof_is_withheld_from_others() {
        let marked = format!("{}sig==", mark(A));
        let mut other = thought(&marked);
        assert!(withhold(&mut other, DialectId::GenerateContent, B));
        assert_eq!(proof_of(&other), Some(None), "the words stay");
        let mut own = thought(&marked);
        assert!(withhold(&mut own, DialectId::Messages, B));
        assert!(own.turns.is_empty(), "a thought without proof is refused in its own dialect");
    }

    #[test]
    fn an_unmarked_proof_stays_in_its_dialect() {
        let mut own = thought("sig");
        assert!(!withhold(&mut own, DialectId::Messages, B));
        assert_eq!(proof_of(&own), Some(Some("sig".into())));
        let mut other = thought("sig");
        assert!(withhold(&mut other, DialectId::Responses, B));
        assert_eq!(proof_of(&other), Some(None));
    }

    #[test]
    fn a_sealed_proof_opens_to_itself_and_nothing_else_opens() {
        let marked = format!("{}s?>~ig\\/", mark(A));
        let sealed = sealed(Text::escaped(&marked)).into_owned();
        assert!(
            is_in(sealed.as_bytes())
                && sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        );
        assert_eq!(opened(Text::escaped(&sealed)).as_ref(), Some(&marked));
        let urlsafe = sealed.replace('+', "-").replace('/', "_").trim_end_matches('=').to_string();
        assert_eq!(opened(Text::escaped(&urlsafe)), Some(marked));
        let hostile = STANDARD.encode(format!("{}\"", mark(A)));
        for text in ["", "c2ln", "ZGdtMTo", SEAL, &hostile] {
            assert_eq!(opened(Text::escaped(text)), None, "{text}");
        }
        assert_eq!(super::sealed(Text::escaped("c2ln")), "c2ln");
    }

    #[test]
    fn a_damaged_mark_is_no_mark() {
        for text in ["dgm1:", "dgm1:00aa:x", "dgm1:é000000000000000:x", "DGM1:00000000000000aa:x"] {
            assert_eq!(read(Text::escaped(text)), None, "{text}");
        }
    }
}
