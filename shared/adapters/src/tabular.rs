//! `tabular`: rows of named features become columns in the model's order; booleans and the texts of
//! an `enum` become numbers.

use std::collections::HashSet;

use protocol::{rest::errors::Detail, tensor::Spec};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    before::{MAX_BYTES, MAX_FAULTS, Made, detail},
    numbers::{self, Number},
    options,
};

/// So many features are named in one message.
const MAX_NAMED: usize = 10;

/// `x-adapter` of a tabular model's `input_schema`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// The features in the model's order; by default as `properties` are declared.
    features: Option<Vec<String>>,
}

/// The adapter for one model.
pub(crate) struct Table {
    columns: Vec<Column>,
    inputs: Vec<Spec>,
}

/// A feature.
struct Column {
    name: String,
    /// The values of its `enum` if some are texts: their positions are the codes.
    codes: Option<Vec<Value>>,
    /// What stands for a missing value.
    default: Option<Value>,
}

/// Rows as they were given.
struct Rows<'a> {
    rows: Vec<(String, &'a Value)>,
    many: bool,
}

impl Table {
    pub(crate) fn new(
        schema: Option<&Map<String, Value>>,
        declared: &[String],
        inputs: &[Spec],
    ) -> Result<Self, String> {
        let Options { features } = options::read(schema)?;
        let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
        let names = match (features, inputs) {
            (Some(features), _) => features,
            // each input is a feature
            (None, [_, _, ..]) => inputs.iter().map(|spec| spec.name.clone()).collect(),
            (None, _) => declared.to_vec(),
        };
        if names.is_empty() {
            return Err("needs the features' names: declare them as `properties` of input_schema, in the model's order, or list them in x-adapter.features".to_owned());
        }
        let mut known = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !known.insert(name.as_str())) {
            let shown: String = twice.chars().take(80).collect();
            return Err(format!("names the feature `{shown}` twice; give each column its own"));
        }
        let column = |name: String| {
            let property = properties.and_then(|properties| properties.get(&name));
            let values = property.and_then(|property| property.get("enum")?.as_array());
            let codes = values.filter(|values| values.iter().any(Value::is_string)).cloned();
            let default = property.and_then(|property| property.get("default")).cloned();
            Column { name, codes, default }
        };
        let columns: Vec<_> = names.into_iter().map(column).collect();
        let table = Self { columns, inputs: inputs.to_vec() };
        table.check()?;
        for column in &table.columns {
            if let Some(default) = &column.default {
                column.number(default).map_err(|problem| {
                    format!("input_schema.properties.{}.default: {problem}", column.name)
                })?;
            }
        }
        Ok(table)
    }

    /// Whether the model takes these columns.
    fn check(&self) -> Result<(), String> {
        let count = self.columns.len();
        match self.inputs.as_slice() {
            [spec] => match spec.shape.as_slice() {
                [_, None] => Ok(()),
                [_, Some(width)] if *width == count => Ok(()),
                _ => Err(format!(
                    "has {count} features, but the model takes {}; declare one property for each column, in its order",
                    spec.shape_text()
                )),
            },
            inputs => {
                for spec in inputs {
                    if !matches!(spec.shape.as_slice(), [_] | [_, Some(1) | None]) {
                        return Err(format!(
                            "needs a model with one input, or one column for each; `{}` takes {}",
                            spec.name,
                            spec.shape_text()
                        ));
                    }
                    if !self.columns.iter().any(|column| column.name == spec.name) {
                        return Err(format!("the model's input `{}` is no feature", spec.name));
                    }
                }
                Ok(())
            }
        }
    }

    pub(crate) fn run(&self, input: &Value) -> Result<Made, Vec<Detail>> {
        let Rows { rows, many } = self.rows(input)?;
        let one = |message: String| vec![detail("input", message)];
        if self.bytes(rows.len()).is_none_or(|bytes| bytes > MAX_BYTES) {
            return Err(one(format!(
                "{} rows make more than {MAX_BYTES} bytes of tensors; send fewer at a time",
                rows.len()
            )));
        }
        let mut tensors = Vec::with_capacity(self.inputs.len());
        let mut faults = Vec::new();
        for spec in &self.inputs {
            let mut shape = numbers::batched(spec, rows.len()).map_err(one)?;
            let columns: Vec<(usize, &Column)> = match self.inputs.len() {
                1 => self.columns.iter().enumerate().collect(),
                _ => self.columns.iter().enumerate().filter(|(_, c)| c.name == spec.name).collect(),
            };
            if spec.shape.len() == 2 {
                shape.truncate(1);
                shape.push(columns.len());
            }
            let mut data = Vec::with_capacity(rows.len() * columns.len() * spec.dtype.size());
            for (path, row) in &rows {
                self.fill(spec, &columns, path, row, &mut data, &mut faults);
                if faults.len() >= MAX_FAULTS {
                    faults.truncate(MAX_FAULTS);
                    return Err(faults);
                }
            }
            tensors.push(numbers::named(spec, shape, data));
        }
        if faults.is_empty() { Ok(Made { tensors, many }) } else { Err(faults) }
    }

    /// What so many rows take in the tensors of all inputs, in bytes.
    fn bytes(&self, rows: usize) -> Option<usize> {
        let columns = if self.inputs.len() == 1 { self.columns.len() } else { 1 };
        let row: usize = self.inputs.iter().map(|spec| columns * spec.dtype.size()).sum();
        row.checked_mul(rows)
    }

    /// Appends one row's values of these columns, or says what is wrong with them.
    fn fill(
        &self,
        spec: &Spec,
        columns: &[(usize, &Column)],
        path: &str,
        row: &Value,
        data: &mut Vec<u8>,
        faults: &mut Vec<Detail>,
    ) {
        if let Value::Array(values) = row
            && values.len() != self.columns.len()
        {
            let message = format!(
                "expected {} values in the order {}, got {}",
                self.columns.len(),
                self.names(),
                values.len()
            );
            faults.push(detail(path, message));
            return;
        }
        for (index, column) in columns {
            let (path, value) = match row {
                Value::Array(values) => (format!("{path}[{index}]"), values.get(*index)),
                other => (format!("{path}.{}", column.name), other.get(&column.name)),
            };
            if faults.len() >= MAX_FAULTS {
                return;
            }
            let filled = column
                .or_default(value)
                .and_then(|value| column.number(value))
                .and_then(|number| numbers::push(data, spec.dtype, number));
            if let Err(message) = filled {
                faults.push(detail(path, message));
            }
        }
    }

    /// An object, a list of values, a list of either, or `{"rows": such a list}`.
    fn rows<'a>(&self, input: &'a Value) -> Result<Rows<'a>, Vec<Detail>> {
        let is_feature = |name: &str| self.columns.iter().any(|column| column.name == name);
        let (list, path) = match input {
            Value::Array(list) => (list, "input"),
            Value::Object(fields) => match fields.get("rows") {
                Some(Value::Array(list)) if !is_feature("rows") => (list, "input.rows"),
                _ => return Ok(Rows { rows: vec![("input".to_owned(), input)], many: false }),
            },
            _ => {
                let message = format!(
                    "expected an object with the features {}, or a list of rows",
                    self.names()
                );
                return Err(vec![detail("input", message)]);
            }
        };
        if list.is_empty() {
            return Err(vec![detail(path, "is empty; send at least one row")]);
        }
        if path == "input" && !list.iter().any(|item| item.is_array() || item.is_object()) {
            return Ok(Rows { rows: vec![("input".to_owned(), input)], many: false });
        }
        let mut rows = Vec::with_capacity(list.len());
        for (index, row) in list.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if !row.is_array() && !row.is_object() {
                let message = "expected an object or a list of values, as the other rows";
                return Err(vec![detail(path, message)]);
            }
            rows.push((path, row));
        }
        Ok(Rows { rows, many: true })
    }

    fn names(&self) -> String {
        let first = self.columns.iter().take(MAX_NAMED);
        let names: Vec<_> = first.map(|c| format!("`{}`", c.name)).collect();
        let names = names.join(", ");
        match self.columns.len().checked_sub(MAX_NAMED) {
            None | Some(0) => names,
            Some(more) => format!("{names} and {more} more"),
        }
    }
}

impl Column {
    fn or_default<'a>(&'a self, value: Option<&'a Value>) -> Result<&'a Value, String> {
        let value = value.filter(|value| !value.is_null()).or(self.default.as_ref());
        value.ok_or_else(|| "missing; give a value, or a `default` in input_schema".to_owned())
    }

    /// The number that the network was trained on. The error is a sentence without a subject.
    fn number(&self, value: &Value) -> Result<Number, String> {
        if let Some(codes) = &self.codes {
            let code = codes.iter().position(|code| code == value);
            return code.map(|code| Number::Whole(code as i128)).ok_or_else(|| {
                let known: Vec<_> = codes.iter().take(10).map(Value::to_string).collect();
                format!("expected one of {}", known.join(", "))
            });
        }
        match value {
            Value::Bool(value) => Ok(Number::Whole((*value).into())),
            Value::Number(number) => {
                let whole = number.as_i128().map(Number::Whole);
                let number_of = whole.or_else(|| number.as_f64().map(Number::Float));
                number_of.ok_or_else(|| format!("{number} is no number that fits"))
            }
            Value::String(_) => {
                Err("expected a number; of texts the schema must list all as `enum`".to_owned())
            }
            _ => Err("expected a number, a boolean or a text of the feature's `enum`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use protocol::tensor::{Dtype, Named};
    use serde_json::json;

    use super::*;

    fn spec(name: &str, dtype: Dtype, shape: &[Option<usize>]) -> Spec {
        Spec { name: name.to_owned(), dtype, shape: shape.to_vec() }
    }

    /// Declared in an order that is not the alphabet's.
    fn table() -> Table {
        let schema = json!({ "properties": {
            "width": { "type": "number" },
            "colour": { "enum": ["red", "green", "blue"] },
            "alive": { "type": "boolean", "default": true },
        }});
        let features = ["width", "colour", "alive"].map(str::to_owned);
        let input = spec("x", Dtype::Float32, &[None, Some(3)]);
        Table::new(schema.as_object(), &features, &[input]).unwrap()
    }

    fn numbers(made: &[Named]) -> Vec<Vec<f64>> {
        made.iter().map(|named| named.tensor.to_f64()).collect()
    }

    #[test]
    fn rows_of_every_form_become_columns_in_the_declared_order() {
        let object = json!({ "colour": "blue", "alive": false, "width": 1.5, "more": [] });
        for (input, many, expected) in [
            (object.clone(), false, vec![1.5, 2.0, 0.0]),
            (json!([1.5, "blue", false]), false, vec![1.5, 2.0, 0.0]),
            (json!([[1.5, "red", true]]), true, vec![1.5, 0.0, 1.0]),
            (json!([object, [2, "green", null]]), true, vec![1.5, 2.0, 0.0, 2.0, 1.0, 1.0]),
            (json!({ "rows": [{ "width": -1, "colour": "red" }] }), true, vec![-1.0, 0.0, 1.0]),
        ] {
            let made = table().run(&input).unwrap();
            assert_eq!((made.many, numbers(&made.tensors)), (many, vec![expected]), "{input}");
        }
    }

    #[test]
    fn a_model_with_an_input_for_each_feature_gets_each_in_its_type() {
        let inputs = [spec("b", Dtype::Int64, &[None, Some(1)]), spec("a", Dtype::Bool, &[None])];
        let table = Table::new(None, &[], &inputs).unwrap();
        let made = table.run(&json!([{ "a": true, "b": 7 }, [8, false]])).unwrap().tensors;
        assert_eq!(numbers(&made), [vec![7.0, 8.0], vec![1.0, 0.0]]);
        assert_eq!((&made[0].tensor.shape, &made[1].tensor.shape), (&vec![2, 1], &vec![2]));
        let made = table.run(&json!({ "a": true, "b": 9_007_199_254_740_993_i64 })).unwrap();
        assert_eq!(made.tensors[0].tensor.data[..], 9_007_199_254_740_993_i64.to_le_bytes());
        let faults = table.run(&json!({ "a": 2, "b": 0.5 })).unwrap_err();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["input.b", "input.a"]);
    }

    #[test]
    fn every_fault_is_named_with_its_place_up_to_a_bound() {
        let row = json!({ "width": "wide", "colour": "pink", "alive": 1 });
        for (input, expected) in [
            (row.clone(), vec![("input.width", "a number"), ("input.colour", "\"green\"")]),
            (json!({ "colour": "red" }), vec![("input.width", "missing")]),
            (json!([{ "width": 1 }, 2]), vec![("input[1]", "an object or a list")]),
            (json!([[1, "red"]]), vec![("input[0]", "expected 3 values")]),
            (json!([1, 2]), vec![("input", "`width`, `colour`, `alive`")]),
            (json!([]), vec![("input", "empty")]),
            (json!("red"), vec![("input", "`colour`")]),
            (json!([[{}, "red", true]]), vec![("input[0][0]", "a number")]),
            (json!({ "width": 1e300, "colour": "red" }), vec![("input.width", "too large")]),
        ] {
            let faults = table().run(&input).unwrap_err();
            assert_eq!(faults.len(), expected.len(), "{faults:?}");
            for (fault, (path, word)) in faults.iter().zip(expected) {
                assert_eq!(fault.path, path);
                assert!(fault.message.contains(word), "{fault:?}");
            }
        }
        let faults = table().run(&json!(vec![row; 1000])).unwrap_err();
        assert_eq!(faults.len(), MAX_FAULTS);
    }

    #[test]
    fn tables_that_would_take_too_much_memory_are_refused_before_they_do() {
        let features: Vec<_> = (0..10_000).map(|i| format!("f{i}")).collect();
        let input = spec("x", Dtype::Float64, &[None, None]);
        let table = Table::new(None, &features, &[input]).unwrap();
        let faults = table.run(&json!(vec![json!({}); 1000])).unwrap_err();
        assert_eq!((faults.len(), faults[0].path.as_str()), (1, "input"));
        assert!(faults[0].message.contains("1000 rows make more than"), "{faults:?}");
        // and a row is named in a few words
        let faults = table.run(&json!([[1]])).unwrap_err();
        assert!(faults[0].message.contains("`f9` and 9990 more, got 1"), "{faults:?}");
    }

    #[test]
    fn schemas_that_do_not_fit_the_model_are_refused() {
        let input = |shape: &[Option<usize>]| spec("x", Dtype::Float32, shape);
        let names = ["a".to_owned(), "b".to_owned()];
        let with = |schema: Value, features: &[String], inputs: &[Spec]| {
            Table::new(schema.as_object(), features, inputs).err().unwrap()
        };
        for (schema, features, inputs, word) in [
            (json!({}), &[][..], vec![input(&[None, Some(2)])], "properties"),
            (json!({}), &names, vec![input(&[None, Some(3)])], "[N, 3]"),
            (json!({}), &names, vec![input(&[Some(2)])], "[2]"),
            (json!({ "x-adapter": { "features": "a" } }), &names, vec![], "x-adapter"),
            (
                json!({ "x-adapter": { "features": ["a", "a"] } }),
                &names,
                vec![input(&[None, Some(2)])],
                "`a` twice",
            ),
            (
                json!({ "properties": { "a": { "default": "x" } } }),
                &names,
                vec![input(&[None, Some(2)])],
                "properties.a.default",
            ),
            (
                json!({ "x-adapter": { "features": ["x"] } }),
                &[],
                vec![input(&[None]), spec("y", Dtype::Bool, &[None])],
                "`y` is no feature",
            ),
        ] {
            let reason = with(schema, features, &inputs);
            assert!(reason.contains(word), "{reason}");
        }
    }
}
