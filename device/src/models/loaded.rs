//! The models in memory, by checksum; the least recently used go.

use std::{collections::HashMap, sync::Arc};

use super::Model;

/// Models beyond which the least recently used goes, however small they are.
const MAX_LOADED: usize = 64;

#[derive(Default)]
pub(super) struct Loaded {
    /// Each with when it was last used, on `clock`.
    models: HashMap<String, (Arc<Model>, u64)>,
    clock: u64,
}

impl Loaded {
    pub(super) fn get(&mut self, checksum: &str) -> Option<Arc<Model>> {
        self.clock += 1;
        let (model, used) = self.models.get_mut(checksum)?;
        *used = self.clock;
        Some(model.clone())
    }

    /// Adds a model; tasks that hold the one that goes for it finish with it.
    pub(super) fn insert(&mut self, model: Arc<Model>) {
        while self.models.len() >= MAX_LOADED {
            self.forget_oldest(|_| true);
        }
        self.clock += 1;
        self.models.insert(model.checksum.clone(), (model, self.clock));
    }

    /// The most recently used first.
    pub(super) fn checksums(&self) -> Vec<String> {
        let mut models: Vec<_> = self.models.iter().map(|(sum, (_, used))| (used, sum)).collect();
        models.sort_unstable_by(|a, b| b.cmp(a));
        models.into_iter().map(|(_, checksum)| checksum.clone()).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.models.len()
    }

    /// Bytes of the models that no task holds.
    pub(super) fn idle_bytes(&self) -> u64 {
        let models = self.models.values().map(|(model, _)| model);
        models.filter(|model| is_idle(model)).map(|model| model.bytes).sum()
    }

    /// Forgets the least recently used of the models that no task holds.
    pub(super) fn forget_idle(&mut self) {
        self.forget_oldest(is_idle);
    }

    fn forget_oldest(&mut self, fits: impl Fn(&Arc<Model>) -> bool) {
        let fitting = self.models.iter().filter(|(_, (model, _))| fits(model));
        let oldest = fitting.min_by_key(|(_, (_, used))| *used).map(|(sum, _)| sum.clone());
        if let Some(checksum) = oldest {
            self.models.remove(&checksum);
        }
    }
}

/// Whether nobody but this list holds it.
fn is_idle(model: &Arc<Model>) -> bool {
    Arc::strong_count(model) == 1
}
