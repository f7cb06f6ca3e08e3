//! A closed set of labels. Names that are registered get a place of their own while there are places; all others share `other`.
//!
//! Whoever sends names can only ever fill it with registered ones: what a request merely says never comes here.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use hashbrown::HashMap;

/// Names and their places. Looking up a known name takes no lock and makes no copy.
pub(super) struct Labels {
    places: ArcSwap<HashMap<Arc<str>, usize>>,
    most: usize,
    adding: Mutex<()>,
}

impl Labels {
    /// Places for so many names, beside the shared one.
    pub(super) fn new(most: usize) -> Self {
        Self { places: ArcSwap::default(), most, adding: Mutex::new(()) }
    }

    /// The place of a registered name.
    pub(super) fn place(&self, name: &str) -> usize {
        let places = self.places.load();
        if let Some(place) = places.get(name) {
            return *place;
        }
        // A thing that is itself called `other` shares that label: two series of one name would be none for the reader.
        if places.len() >= self.most || name == OTHER {
            return SHARED;
        }
        self.add(name)
    }

    fn add(&self, name: &str) -> usize {
        // Nobody panics while holding it.
        let _alone = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let places = self.places.load();
        if let Some(place) = places.get(name) {
            return *place;
        }
        if places.len() >= self.most {
            return SHARED;
        }
        let mut more = HashMap::clone(&places);
        let place = more.len() + 1;
        more.insert(name.into(), place);
        self.places.store(Arc::new(more));
        place
    }

    /// The names in the order of their places, the shared one first.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        let places = self.places.load();
        let mut names = vec![Arc::from(OTHER); places.len() + 1];
        for (name, place) in places.iter() {
            names[*place] = name.clone();
        }
        names
    }
}

/// The label of all that have none of their own.
const OTHER: &str = "other";

/// Its place.
const SHARED: usize = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_place_and_those_beyond_the_bound_share_one() {
        let labels = Labels::new(2);
        assert_eq!(["a", "b", "c", "a", "d", "b"].map(|name| labels.place(name)), [1, 2, 0, 1, 0, 2]);
        assert_eq!(labels.names().iter().map(|name| &**name).collect::<Vec<_>>(), ["other", "a", "b"]);
        assert_eq!(Labels::new(0).place("a"), 0);
    }

    #[test]
    fn a_thing_called_other_makes_no_second_other() {
        let labels = Labels::new(2);
        assert_eq!(labels.place("other"), 0);
        assert_eq!(labels.names().len(), 1);
    }

    #[test]
    fn many_at_once_find_one_place_for_each_name() {
        let labels = Labels::new(8);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..1000 {
                        assert!(labels.place(&(n % 16).to_string()) <= 8);
                    }
                });
            }
        });
        assert_eq!(labels.names().len(), 9);
    }
}
