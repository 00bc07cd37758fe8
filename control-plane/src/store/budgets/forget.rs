//! What nobody asks for any more: windows that are over, leases and cool-downs that ended, health that is long over, notices that were told, data planes that are
//! gone.
//!
//! What was spent of days, weeks, months and of everything stays: those windows are few.

use crate::store::costs::DAY_MS;
use crate::store::{Store, now_ms};

/// Windows of minutes and hours are many, and nobody is shown one that is over. A Record that comes later still makes its
/// window anew, and changes nothing for anybody.
const SHORT_MS: i64 = 2 * DAY_MS;
/// So long it is known how providers did.
const WEEK_MS: i64 = 7 * DAY_MS;
/// Longer than the longest window that ends, a month: who was lent something of one counts from the window's beginning.
const LONG_MS: i64 = 35 * DAY_MS;

/// What is taken away, each with how old it is then. A window without an end has no lease that is over as long as its data plane
/// may come back.
const FORGOTTEN: [(&str, i64); 10] = [
    (
        "DELETE FROM budget_window WHERE period IN ('minute', 'hour') AND leased = 0 AND reserved = 0 AND began_ms < $1",
        SHORT_MS,
    ),
    ("DELETE FROM lease WHERE period IN ('minute', 'hour') AND ended_ms < $1", SHORT_MS),
    (
        "DELETE FROM lease WHERE ended_ms < $1 AND (period <> 'total' OR NOT EXISTS \
         (SELECT 1 FROM data_plane WHERE data_plane.vm = lease.vm AND data_plane.seen_ms >= $1))",
        LONG_MS,
    ),
    // Those that were given up are never tried again.
    (
        "DELETE FROM budget_notice WHERE made_ms < $1 AND (told_ms IS NOT NULL OR next_ms = 9223372036854775807)",
        LONG_MS,
    ),
    ("DELETE FROM data_plane WHERE seen_ms < $1", LONG_MS),
    ("DELETE FROM cool_down WHERE until_ms < $1", 0),
    ("DELETE FROM health_minute WHERE began_ms < $1", WEEK_MS),
    ("DELETE FROM pool_minute WHERE began_ms < $1", DAY_MS),
    ("DELETE FROM health_notice WHERE made_ms < $1", WEEK_MS),
    ("DELETE FROM health WHERE ends_ms < $1 AND force = ''", 0),
];

impl Store {
    /// Forgets what is so old; how many rows there were.
    pub async fn forget(&self) -> anyhow::Result<u64> {
        let mut count = 0;
        for (delete, age_ms) in FORGOTTEN {
            let delete = sqlx::query(delete).bind(now_ms() - age_ms);
            count += delete.execute(&self.writer).await?.rows_affected();
        }
        Ok(count)
    }
}
