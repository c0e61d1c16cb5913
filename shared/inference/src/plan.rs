//! Plans: a model made concrete and optimised for one set of shapes, and the few that are kept.

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use tract_onnx::prelude::{
    InferenceFact, InferenceModel, TValue, TVec, TypedSimplePlan, TypedSimpleState,
};

use crate::{
    bounded::{self, Budget},
    error::engine,
};

/// The open dimensions of all inputs, in order: what tells plans of one model apart.
pub(crate) type Key = TVec<usize>;

/// A model for one set of shapes, ready to run on any thread.
pub(crate) struct Plan {
    runnable: Arc<TypedSimplePlan>,
    /// States of runs that are over: making one costs about as much as running a small network.
    idle: Mutex<Vec<TypedSimpleState>>,
}

impl Plan {
    pub(crate) fn build(
        model: &InferenceModel,
        facts: Vec<InferenceFact>,
        budget: Budget,
    ) -> Result<Self, String> {
        let mut model = model.clone();
        for (index, fact) in facts.into_iter().enumerate() {
            model.set_input_fact(index, fact).map_err(engine)?;
        }
        let typed = bounded::typed(model, budget)?;
        let runnable = typed.into_optimized().and_then(TypedSimplePlan::new).map_err(engine)?;
        Ok(Self { runnable, idle: Mutex::default() })
    }

    pub(crate) fn run(&self, inputs: TVec<TValue>) -> Result<TVec<TValue>, String> {
        // A panic while computing happens outside the lock and loses the state it was in.
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let state = idle().pop();
        let mut state = state.map_or_else(|| self.runnable.spawn(), Ok).map_err(engine)?;
        let outputs = state.run(inputs).map_err(engine)?;
        // What operators remember must not reach the next caller.
        if state.op_states.iter().all(Option::is_none) {
            idle().push(state);
        }
        Ok(outputs)
    }
}

/// The plans of one model: the most recently used few.
pub(crate) struct Plans {
    model: InferenceModel,
    budget: Budget,
    capacity: usize,
    kept: RwLock<Vec<Kept>>,
    /// Held while a plan is built, so that callers who need the same one build it once.
    building: Mutex<()>,
    clock: AtomicU64,
}

struct Kept {
    key: Key,
    plan: Arc<Plan>,
    used: AtomicU64,
}

impl Plans {
    /// Keeps at most `capacity` plans.
    pub(crate) fn new(model: InferenceModel, budget: Budget, capacity: usize) -> Self {
        Self {
            model,
            budget,
            capacity,
            kept: RwLock::default(),
            building: Mutex::default(),
            clock: AtomicU64::default(),
        }
    }

    /// The plan for `key`, built when it is not kept. `facts` are the inputs' types and shapes.
    pub(crate) fn get(
        &self,
        key: &Key,
        facts: impl FnOnce() -> Vec<InferenceFact>,
    ) -> Result<Arc<Plan>, String> {
        if let Some(plan) = self.kept(key) {
            return Ok(plan);
        }
        let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = self.kept(key) {
            return Ok(plan);
        }
        let plan = Arc::new(Plan::build(&self.model, facts(), self.budget)?);
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= self.capacity
            && let Some(oldest) =
                (0..kept.len()).min_by_key(|i| kept[*i].used.load(Ordering::Relaxed))
        {
            kept.swap_remove(oldest);
        }
        kept.push(Kept { key: key.clone(), plan: plan.clone(), used: self.tick().into() });
        Ok(plan)
    }

    fn kept(&self, key: &Key) -> Option<Arc<Plan>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|kept| kept.key == *key)?;
        found.used.store(self.tick(), Ordering::Relaxed);
        Some(found.plan.clone())
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}
