//! A model that is loaded: checks inputs against its signature and runs it.

use std::sync::atomic::AtomicU8;

use protocol::tensor::{Named, Spec};
use tract_onnx::prelude::{InferenceFact, TVec};

use crate::{
    Error, Refused, Signature,
    bounded::Budget,
    dtype,
    error::guarded,
    plan::{Key, Plans},
    signature,
};

/// Memory that a model's plans may take beyond the first, in bytes: each has its own packed weights.
const PLAN_BUDGET: usize = 256 << 20;

/// A loaded model; runs on several threads at once.
pub struct Network {
    pub(crate) signature: Signature,
    plans: Plans,
    /// What is known about stacking requests; see `stack`.
    pub(crate) stackable: AtomicU8,
}

impl Network {
    /// Reads a model, as [`inspect`](crate::inspect) does, and keeps it for running.
    ///
    /// # Errors
    /// As for `inspect`.
    pub fn load(bytes: &[u8]) -> Result<Self, Refused> {
        let (model, signature) = signature::parse(bytes)?;
        // up to 8 powers of two of a small model
        let capacity = (PLAN_BUDGET / bytes.len().max(1)).clamp(2, 8);
        let stackable = AtomicU8::new(crate::stack::initially(&signature));
        Ok(Self {
            signature,
            plans: Plans::new(model, Budget::of(bytes.len()), capacity),
            stackable,
        })
    }

    /// What the model takes and gives.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Runs the model once. Inputs are matched by name, in any order; the outputs come in the file's.
    ///
    /// # Errors
    /// [`Error::Input`] when they do not fit the signature, [`Error::Engine`] when it cannot compute them.
    pub fn run(&self, inputs: &[Named]) -> Result<Vec<Named>, Error> {
        let inputs = self.ordered(inputs)?;
        self.run_ordered(&inputs)
    }

    /// The inputs in the signature's order, each of the right type and shape.
    pub(crate) fn ordered<'a>(&self, given: &'a [Named]) -> Result<TVec<&'a Named>, Error> {
        let specs = &self.signature.inputs;
        let ordered = specs
            .iter()
            .enumerate()
            .map(|(index, spec)| {
                let found = given
                    .get(index)
                    .filter(|named| named.name == spec.name)
                    .or_else(|| given.iter().find(|named| named.name == spec.name))
                    .ok_or_else(|| self.wrong_names())?;
                fits(spec, found)?;
                Ok(found)
            })
            .collect::<Result<TVec<_>, Error>>()?;
        if given.len() == specs.len() { Ok(ordered) } else { Err(self.wrong_names()) }
    }

    /// Runs inputs that are in order and fit.
    pub(crate) fn run_ordered(&self, inputs: &[&Named]) -> Result<Vec<Named>, Error> {
        let outputs = guarded(|| {
            let plan = self.plans.get(&self.key(inputs), || facts(inputs))?;
            let values = inputs
                .iter()
                .map(|input| {
                    dtype::value(&input.tensor)
                        .map_err(|cause| format!("input `{}`: {cause}", input.name))
                })
                .collect::<Result<TVec<_>, _>>()?;
            plan.run(values)?.into_iter().map(dtype::tensor).collect::<Result<Vec<_>, _>>()
        })
        .map_err(Error::Engine)?;
        let names = self.signature.outputs.iter().map(|spec| spec.name.clone());
        Ok(names.zip(outputs).map(|(name, tensor)| Named { name, tensor }).collect())
    }

    fn key(&self, inputs: &[&Named]) -> Key {
        let mut key = Key::new();
        for (spec, input) in self.signature.inputs.iter().zip(inputs) {
            let dims = spec.shape.iter().zip(&input.tensor.shape);
            key.extend(dims.filter(|(want, _)| want.is_none()).map(|(_, is)| *is));
        }
        key
    }

    fn wrong_names(&self) -> Error {
        let names: Vec<String> = self
            .signature
            .inputs
            .iter()
            .map(|spec| format!("`{}` ({} {})", spec.name, spec.dtype, spec.shape_text()))
            .collect();
        Error::Input(format!("the model takes exactly these inputs: {}", names.join(", ")))
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("signature", &self.signature).finish_non_exhaustive()
    }
}

fn facts(inputs: &[&Named]) -> Vec<InferenceFact> {
    let fact = |input: &&Named| {
        InferenceFact::dt_shape(dtype::to_engine(input.tensor.dtype), &input.tensor.shape)
    };
    inputs.iter().map(fact).collect()
}

fn fits(spec: &Spec, named: &Named) -> Result<(), Error> {
    let tensor = &named.tensor;
    let fail = |problem: String| Err(Error::Input(format!("input `{}`: {problem}", spec.name)));
    if tensor.dtype != spec.dtype {
        return fail(format!("the model takes {}, not {}", spec.dtype, tensor.dtype));
    }
    if !spec.fits(&tensor.shape) {
        return fail(format!(
            "the model takes shape {}, not {:?}",
            spec.shape_text(),
            tensor.shape
        ));
    }
    if tensor.shape.contains(&0) {
        return fail(format!("shape {:?} is empty; send at least one row", tensor.shape));
    }
    Ok(())
}
