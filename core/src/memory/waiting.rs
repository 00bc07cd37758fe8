//! Who waits until somebody may be asked: in turn by tenant, and a tenant's own requests by what they say of themselves.
//!
//! ```text
//!  route m   acme    high ▸ normal ▸ normal ▸ low
//!            corp    normal                           first: acme's high, corp's normal, acme's normal, …
//! ```
//!
//! So a tenant that asks for much, or says that all of it is urgent, waits for itself alone.

use std::collections::{BTreeMap, HashMap};

/// Most requests that wait in one worker, whatever routes say: each holds its body.
const MOST: usize = 1_000;

/// So many of a route are tried at once; who finds no room waits on where it was.
const TRIED: usize = 8;

/// What a request says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Before the others.
    High,
    /// Like most.
    #[default]
    Normal,
    /// After the others.
    Low,
}

impl Priority {
    /// As a header says it; what is none of these words is nothing special.
    pub fn read(text: &[u8]) -> Priority {
        match text.trim_ascii() {
            b"high" => Priority::High,
            b"low" => Priority::Low,
            _ => Priority::Normal,
        }
    }
}

/// One request that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Its exchange.
    pub exchange: String,
    /// Whose it is.
    pub tenant: String,
    /// What it says of itself.
    pub priority: Priority,
    /// Until when it waits, in milliseconds since 1970.
    pub until_ms: u64,
}

/// Those of one route. A tenant's are in order of their priority and then of their coming.
#[derive(Debug, Default)]
struct Queue {
    tenants: BTreeMap<String, Vec<Ticket>>,
    /// The tenant whose turn was last.
    last: String,
}

impl Queue {
    fn len(&self) -> usize {
        self.tenants.values().map(Vec::len).sum()
    }

    /// The tenants, beginning with the one whose turn it is.
    fn in_turn(&self) -> impl Iterator<Item = &Vec<Ticket>> {
        let (before, after): (Vec<_>, Vec<_>) = self.tenants.iter().partition(|(tenant, _)| **tenant <= self.last);
        after.into_iter().chain(before).map(|(_, tickets)| tickets)
    }

    /// The first ones, each tenant in turn.
    fn first(&self) -> Vec<&Ticket> {
        let mut lists: Vec<_> = self.in_turn().map(|tickets| tickets.iter()).collect();
        let mut first = Vec::new();
        while first.len() < TRIED {
            let before = first.len();
            first.extend(lists.iter_mut().filter_map(Iterator::next));
            if first.len() == before {
                break;
            }
        }
        first.truncate(TRIED);
        first
    }
}

/// Who waits, by routes.
#[derive(Debug, Default)]
pub struct Waiting {
    queues: HashMap<String, Queue>,
    count: usize,
}

impl Waiting {
    /// Joins a route's queue, which has so many places; false when none is free.
    pub fn join(&mut self, route: &str, places: u64, ticket: Ticket) -> bool {
        let queue = self.queues.get(route);
        if self.count >= MOST || queue.is_some_and(|queue| queue.len() as u64 >= places) || places == 0 {
            return false;
        }
        let tickets =
            self.queues.entry(route.to_string()).or_default().tenants.entry(ticket.tenant.clone()).or_default();
        let place = tickets.partition_point(|known| known.priority <= ticket.priority);
        tickets.insert(place, ticket);
        self.count += 1;
        true
    }

    /// Leaves it. Who leaves because its turn has come passes the turn on to the next tenant.
    pub fn leave(&mut self, route: &str, tenant: &str, exchange: &str, had_turn: bool) {
        let Some(queue) = self.queues.get_mut(route) else { return };
        let Some(tickets) = queue.tenants.get_mut(tenant) else { return };
        let Some(place) = tickets.iter().position(|known| known.exchange == exchange) else { return };
        tickets.remove(place);
        self.count -= 1;
        if tickets.is_empty() {
            queue.tenants.remove(tenant);
        }
        if had_turn {
            queue.last = tenant.to_string();
        }
        if queue.tenants.is_empty() {
            self.queues.remove(route);
        }
    }

    /// The exchanges to try now, in this order: those whose turn it is, and those whose time is over.
    pub fn due(&self, now_ms: u64) -> Vec<String> {
        let mut due: Vec<String> = Vec::new();
        for queue in self.queues.values() {
            due.extend(queue.first().into_iter().map(|ticket| ticket.exchange.clone()));
            let all = queue.tenants.values().flatten();
            let late = all.filter(|ticket| ticket.until_ms <= now_ms && !due.contains(&ticket.exchange));
            let late: Vec<String> = late.map(|ticket| ticket.exchange.clone()).collect();
            due.extend(late);
        }
        due
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(tenant: &str, exchange: &str, priority: Priority) -> Ticket {
        Ticket { exchange: exchange.into(), tenant: tenant.into(), priority, until_ms: 1_000 }
    }

    fn joined(tickets: &[(&str, &str, Priority)]) -> Waiting {
        let mut waiting = Waiting::default();
        for (tenant, exchange, priority) in tickets {
            assert!(waiting.join("m", 100, ticket(tenant, exchange, *priority)));
        }
        waiting
    }

    /// The order in which they go, one at a time.
    fn order(mut waiting: Waiting) -> String {
        let mut order = String::new();
        while let Some(first) = waiting.due(0).first().cloned() {
            waiting.leave("m", &first[..1], &first, true);
            order.push_str(&first);
            order.push(' ');
        }
        assert!(waiting.is_empty() && waiting.queues.is_empty());
        order.trim_end().to_string()
    }

    #[test]
    fn tenants_take_turns_and_their_own_go_by_priority() {
        use Priority::{High, Low, Normal};
        let all = [("a", "a1", Low), ("a", "a2", Normal), ("a", "a3", High), ("a", "a4", High), ("b", "b1", Low)];
        assert_eq!(order(joined(&all)), "a3 b1 a4 a2 a1");
        let flood: Vec<(&str, String)> = (0..5).map(|number| ("a", format!("a{number}"))).collect();
        let mut tickets: Vec<(&str, &str, Priority)> =
            flood.iter().map(|(tenant, exchange)| (*tenant, exchange.as_str(), High)).collect();
        tickets.extend([("b", "b0", Normal), ("c", "c0", Low), ("b", "b1", Normal)]);
        assert_eq!(order(joined(&tickets)), "a0 b0 c0 a1 b1 a2 a3 a4", "who says that all is urgent waits for itself");
    }

    #[test]
    fn several_are_tried_and_whose_time_is_over_are_told() {
        let mut waiting = Waiting::default();
        for number in 0..12 {
            let until_ms = if number == 11 { 5 } else { 1_000 };
            let own = Ticket { until_ms, ..ticket("a", &format!("a{number:02}"), Priority::Normal) };
            assert!(waiting.join("m", 100, own));
        }
        assert_eq!(waiting.due(4).len(), TRIED);
        assert_eq!(waiting.due(5).last().map(String::as_str), Some("a11"));
        assert_eq!(waiting.due(5).len(), TRIED + 1);
        waiting.leave("m", "a", "a03", false);
        waiting.leave("m", "a", "a03", false);
        assert_eq!(waiting.count, 11);
    }

    #[test]
    fn queues_are_bounded() {
        let mut waiting = Waiting::default();
        for number in 0..3 {
            let joins = waiting.join("m", 2, ticket("a", &format!("a{number}"), Priority::Normal));
            assert_eq!(joins, number < 2);
        }
        assert!(!waiting.join("n", 0, ticket("a", "a", Priority::High)));
        for number in 0..2 * MOST {
            waiting.join(&format!("r{number}"), 9, ticket("a", &format!("x{number}"), Priority::Low));
        }
        assert_eq!(waiting.count, MOST);
    }

    #[test]
    fn what_is_no_priority_is_the_usual_one() {
        let read = ["high", " low ", "", "urgent"].map(|word| Priority::read(word.as_bytes()));
        assert_eq!(read, [Priority::High, Priority::Low, Priority::Normal, Priority::Normal]);
    }
}
