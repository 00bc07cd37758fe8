//! Whether and when to try again.

use super::Refusal;

impl Refusal {
    /// Headers that tell programs whether and when to try again.
    pub fn retry_headers(&self) -> Vec<(&'static str, String)> {
        match self {
            Refusal::BudgetSpent(spent) | Refusal::RateLimited(spent) => {
                let after = spent.retry_after().map(|seconds| ("retry-after", seconds.to_string()));
                let should = ("x-should-retry", spent.is_worth_waiting().to_string());
                after.into_iter().chain([should]).collect()
            }
            Refusal::Resting { wait_ms: 0, .. } => Vec::new(),
            Refusal::Cooling(ms) | Refusal::Resting { wait_ms: ms, .. } => {
                vec![("retry-after", ms.div_ceil(1000).max(1).to_string())]
            }
            Refusal::BudgetUnknown(_) | Refusal::ControlPlaneAway | Refusal::Unheard => {
                vec![("retry-after", "1".into())]
            }
            _ => Vec::new(),
        }
    }
}
