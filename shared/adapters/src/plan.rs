//! Small graphs of the inference engine, made here rather than read from a file.

use std::sync::Arc;

use tract_onnx::{
    prelude::{
        Graph, OutletId, SpecialOps, TValue, TVec, TractResult, TypedFact, TypedModel,
        TypedSimplePlan,
    },
    tract_core::ops::TypedOp,
};

/// A graph that is ready to run on any thread.
pub(crate) struct Plan(Arc<TypedSimplePlan>);

/// A graph being built: every node under the name of its place.
pub(crate) struct Builder(TypedModel);

impl Plan {
    /// The graph that `build` makes out of one input; it answers the outputs.
    pub(crate) fn new(
        input: TypedFact,
        build: impl FnOnce(&mut Builder, OutletId) -> TractResult<Vec<OutletId>>,
    ) -> Result<Self, String> {
        let made = || {
            let mut builder = Builder(Graph::default());
            let input = builder.0.add_source("input", input)?;
            let outputs = build(&mut builder, input)?;
            builder.0.select_output_outlets(&outputs)?;
            TypedSimplePlan::new(builder.0.into_optimized()?)
        };
        made().map(Self).map_err(|error| format!("{error:#}"))
    }

    /// The outputs for one input.
    pub(crate) fn run(&self, input: TValue) -> Result<TVec<TValue>, String> {
        let ran = self.0.spawn().and_then(|mut state| state.run(TVec::from_vec(vec![input])));
        ran.map_err(|error| format!("{error:#}"))
    }
}

impl Builder {
    /// Adds a node with one output.
    pub(crate) fn node(
        &mut self,
        op: impl Into<Box<dyn TypedOp>>,
        inputs: &[OutletId],
    ) -> TractResult<OutletId> {
        Ok(self.nodes(op, inputs)?[0])
    }

    /// Adds a node with several outputs.
    pub(crate) fn nodes(
        &mut self,
        op: impl Into<Box<dyn TypedOp>>,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let name = format!("node_{}", self.0.nodes.len());
        self.0.wire_node(name, op, inputs)
    }

    /// Adds a constant.
    pub(crate) fn constant(&mut self, value: tract_onnx::prelude::Tensor) -> TractResult<OutletId> {
        let name = format!("constant_{}", self.0.nodes.len());
        self.0.add_const(name, value)
    }
}
