//! Which models a request is for: its bucket, and a score for each of those who are for it.
//!
//! ```text
//! features ─▶ artifact ─▶ chances that a cheap, a middling model does the job ─┐
//!    └──────▶ rules, where there is no artifact ───────────────────────────────┴▶ bucket
//! bucket ─▶ candidates for it ─▶ alpha · quality + (1 − alpha) · cheapness ─▶ order
//! ```
//!
//! Quality is what the artifact predicts for the model, else what its row says, else [`UNKNOWN`]: where nobody knows anything the
//! cheapest comes first. Cheapness is 1 for the cheapest candidate of the bucket and 0 for the dearest; it counts the tokens to be
//! read at the target's price (those of a conversation that went on there a moment ago at the price of a cache), about as many
//! tokens of answer as such requests have ([`ANSWERS`]), and the time until the first event at what a second is worth to the route.
//! All numbers are whole: thousandths, and pico-dollars. The same request, artifact, Snapshot and pulses give the same scores in
//! wasm and anywhere else. Equal scores are told apart by the pool's balance.
//!
//! The form of the score is that of Avengers-Pro (arXiv 2508.12631).

use super::balance::hash;
use super::{Choosing, bucket};
use crate::artifact::{Artifact, Bucket, Extended, Opinion};
use crate::catalog::Target;
use crate::features::{self, Features};
use crate::price::Cost;
use crate::record::{Chosen, Judge, Score};
use crate::snapshot::Choice;

/// The quality of a model of which nobody knows any, in thousandths.
pub const UNKNOWN: u16 = 500;

/// How many tokens answers to requests of each bucket have, about: what is generated is not known before.
pub const ANSWERS: [u64; 3] = [250, 600, 1_500];

/// What a request says of how its model is to be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Wanted {
    /// How much quality counts against cost, in thousandths.
    pub alpha: Option<u16>,
    /// Which bucket it belongs to.
    pub bucket: Option<Bucket>,
}

/// One request that is to be given to somebody.
pub struct Request<'a> {
    /// What the route says.
    pub choice: &'a Choice,
    /// The request's numbers.
    pub features: &'a Features,
    /// What it says itself.
    pub wanted: &'a Wanted,
    /// About how many tokens must be read.
    pub tokens: u64,
    /// The most tokens of the answer, where it says so.
    pub output_limit: Option<u64>,
    /// The number of the conversation that it goes on with; `None` for a first turn.
    pub conversation: Option<u64>,
}

impl Request<'_> {
    /// Judges it, and scores those who are for its bucket. `candidates` are those who can be asked, with their places in the route.
    pub fn choose<'t>(&self, candidates: impl Iterator<Item = (usize, &'t Target)>, choosing: &Choosing<'_>) -> Chosen {
        let artifact = choosing.artifact;
        let extended = artifact.map(|artifact| artifact.extend(self.features));
        let judged = artifact.zip(extended.as_ref()).map(|(artifact, extended)| artifact.judge(extended));
        let (opinion, by) = match judged {
            Some(opinion) => (opinion, Judge::Artifact),
            None => (bucket::by_rules(self.features), Judge::Rules),
        };
        let (bucket, by) = self.wanted.bucket.map_or((opinion.bucket, by), |bucket| (bucket, Judge::Caller));
        let Opinion { cheap, mid, .. } = opinion;
        let (least, most) = self.choice.alphas;
        let alpha = self.wanted.alpha.map_or(self.choice.alpha, |alpha| alpha.max(least).min(most));
        let digest = artifact.map_or("", Artifact::digest);
        let kept = self.choice.keep_features.then(|| self.features.dense().to_vec());
        let (schema, features) = kept.map_or((0, Vec::new()), |features| (features::VERSION, features));
        let (artifact_name, scores) = (digest.get(..12).unwrap_or(digest).to_string(), Vec::new());
        let mut chosen = Chosen { bucket, by, cheap, mid, alpha, artifact: artifact_name, schema, features, scores };
        let suited = candidates.filter(|(place, _)| self.choice.suits(*place).has(bucket));
        let weighed: Vec<(&Target, u16, Cost)> = suited
            .map(|(_, target)| {
                let quality = quality(target, artifact.zip(extended.as_ref()));
                (target, quality, self.cost(target, bucket, choosing))
            })
            .collect();
        let costs = || weighed.iter().map(|(.., cost)| cost.pico_dollars());
        let (cheapest, dearest) = (costs().min().unwrap_or(0), costs().max().unwrap_or(0));
        let scored = weighed.iter().map(|(target, quality, cost)| Score {
            target: target.id.clone(),
            score: score(alpha, *quality, cheapness(cost.pico_dollars(), cheapest, dearest)),
            quality: *quality,
            micro_dollars: cost.micro_dollars(),
        });
        chosen.scores = scored.collect();
        chosen.scores.sort_by_key(|one| core::cmp::Reverse(one.score));
        chosen
    }

    /// What a target is expected to take, waiting included.
    fn cost(&self, target: &Target, bucket: Bucket, choosing: &Choosing<'_>) -> Cost {
        let rates = target.price.rates(self.tokens);
        let goes_on =
            |number: u64| choosing.warm.is_some_and(|warm| warm.is_warm(number, hash(&target.id), choosing.now_ms));
        let read = match rates.cache_read.filter(|_| self.conversation.is_some_and(goes_on)) {
            Some(cached) => cached,
            None => rates.input,
        };
        let said = ANSWERS.get(bucket as usize).copied().unwrap_or_default();
        let said = self.output_limit.map_or(said, |limit| said.min(limit));
        let waits_ms = choosing.pulses.of(&target.id).map_or(0, |pulse| pulse.first_event(choosing.now_ms));
        // A second's worth in micro-dollars is a millisecond's in thousandths of them.
        let waiting = Cost::of(waits_ms, self.choice.second.saturating_mul(1_000));
        let request = Cost::micro(rates.request.unwrap_or(0));
        Cost::of(self.tokens, read).and(Cost::of(said, rates.output)).and(request).and(waiting)
    }
}

/// How well a target is expected to do the job, in thousandths.
fn quality(target: &Target, judged: Option<(&Artifact, &Extended)>) -> u16 {
    let predicted = judged.and_then(|(artifact, extended)| artifact.quality(extended, &target.judged_as));
    // Rounded by its own hand: the same everywhere.
    let predicted = predicted.map(|quality| (quality.clamp(0.0, 1.0) * 1000.0 + 0.5) as u16);
    predicted.or(target.quality).unwrap_or(UNKNOWN)
}

/// 1,000 for the cheapest, 0 for the dearest; 1,000 where all are alike.
fn cheapness(cost: u128, cheapest: u128, dearest: u128) -> u16 {
    let above = cost.saturating_sub(cheapest).saturating_mul(1000);
    let share = above.checked_div(dearest.saturating_sub(cheapest)).unwrap_or(0);
    1000 - u16::try_from(share).unwrap_or(1000).min(1000)
}

fn score(alpha: u16, quality: u16, cheapness: u16) -> u32 {
    let alpha = u32::from(alpha.min(1000));
    alpha * u32::from(quality) + (1000 - alpha) * u32::from(cheapness)
}

#[cfg(test)]
mod tests;
