//! Results as a table (RFC 4180). The first result says which columns there are.

use anyhow::{Context, Result};
use protocol::{
    rest::batch::Item,
    tensor::{Dtype, Tensor},
};
use serde_json::Value;

use super::super::words::FIRST;
use super::values::Values;
use crate::exit::usage;

#[derive(Default)]
pub(super) struct Csv {
    columns: Option<Columns>,
    /// Rows before the first result.
    waiting: Vec<Row>,
}

/// What is in the columns between status and error.
#[derive(Debug, PartialEq)]
enum Columns {
    /// Outputs, and how many numbers each has.
    Numbers(Vec<(String, usize)>),
    /// Names of an answer's fields.
    Words(Vec<String>),
    /// The result as JSON.
    Json,
}

/// A row without the values of its result.
struct Row {
    index: String,
    status: String,
    error: String,
}

impl Csv {
    /// Takes the next result.
    pub(super) fn add(&mut self, item: &Item, out: &mut Vec<u8>) -> Result<()> {
        let error = item.error.as_ref().map(|error| format!("{} ({})", error.message, error.code));
        let (index, status) = (item.index.to_string(), item.status.clone());
        let row = Row { index, status, error: error.unwrap_or_default() };
        let Some(result) = &item.result else {
            match &self.columns {
                Some(columns) => {
                    return columns.write(&row, vec![String::new(); columns.count()], out);
                }
                None => self.waiting.push(row),
            }
            return Ok(());
        };
        let values = Values::read(result)?;
        if self.columns.is_none() {
            self.begin(Columns::of(&values), out)?;
        }
        let columns = self.columns.as_ref().context("a table has columns")?;
        let cells = columns.cells(&values, result.get()).with_context(|| {
            format!("input {} has a result of another shape than those before it", item.index)
        });
        columns.write(&row, cells.map_err(|cause| usage(format!("{cause:#}")))?, out)
    }

    /// Writes what waits if there was no result at all.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.columns.is_none() {
            self.begin(Columns::Words(Vec::new()), out)?;
        }
        Ok(())
    }

    fn begin(&mut self, columns: Columns, out: &mut Vec<u8>) -> Result<()> {
        let names = columns.names();
        let header = ["index", "status"].map(str::to_owned).into_iter().chain(names);
        write(header.chain(["error".to_owned()]), out)?;
        for row in self.waiting.drain(..) {
            columns.write(&row, vec![String::new(); columns.count()], out)?;
        }
        self.columns = Some(columns);
        Ok(())
    }
}

impl Columns {
    fn of(values: &Values) -> Self {
        match values {
            Values::Tensors(tensors) => {
                let sizes = tensors.iter().map(|(name, tensor)| (name.clone(), count(tensor)));
                Self::Numbers(sizes.collect())
            }
            Values::Words(words) => {
                let known = FIRST.into_iter().filter(|name| words.contains_key(*name));
                let others = words.keys().map(String::as_str).filter(|name| !FIRST.contains(name));
                Self::Words(known.chain(others).map(str::to_owned).collect())
            }
            Values::Other => Self::Json,
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Numbers(outputs) => outputs.iter().map(|(_, count)| count).sum(),
            Self::Words(names) => names.len(),
            Self::Json => 1,
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Numbers(outputs) => {
                let name = |(name, count): &(String, usize)| match count {
                    1 => vec![name.clone()],
                    count => (0..*count).map(|place| format!("{name}_{place}")).collect(),
                };
                outputs.iter().flat_map(name).collect()
            }
            Self::Words(names) => names.clone(),
            Self::Json => vec!["result".to_owned()],
        }
    }

    /// The result in these columns.
    fn cells(&self, values: &Values, json: &str) -> Result<Vec<String>> {
        match (self, values) {
            (Self::Numbers(_), Values::Tensors(tensors)) if *self == Self::of(values) => {
                Ok(tensors.iter().flat_map(|(_, tensor)| numbers(tensor)).collect())
            }
            (Self::Words(names), Values::Words(words)) => {
                Ok(names.iter().map(|name| cell(words.get(name))).collect())
            }
            (Self::Json, _) => Ok(vec![json.to_owned()]),
            _ => anyhow::bail!("a table has no place for it; take --format ndjson"),
        }
    }

    fn write(&self, row: &Row, cells: Vec<String>, out: &mut Vec<u8>) -> Result<()> {
        let start = [row.index.clone(), row.status.clone()].into_iter();
        write(start.chain(cells).chain([row.error.clone()]), out)
    }
}

fn write(cells: impl Iterator<Item = String>, out: &mut Vec<u8>) -> Result<()> {
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_record(cells)?;
    Ok(writer.flush()?)
}

fn count(tensor: &Tensor) -> usize {
    tensor.data.len() / tensor.dtype.size()
}

/// Every number in the shortest text that is read as it again.
fn numbers(tensor: &Tensor) -> Vec<String> {
    let (dtype, data) = (tensor.dtype, &tensor.data);
    let chunks = data.chunks_exact(dtype.size());
    match dtype {
        Dtype::Float32 => chunks
            .map(|bytes| bytes.try_into().map(f32::from_le_bytes).unwrap_or(f32::NAN).to_string())
            .collect(),
        Dtype::Int64 => chunks
            .map(|bytes| bytes.try_into().map(i64::from_le_bytes).unwrap_or(0).to_string())
            .collect(),
        Dtype::Uint64 => chunks
            .map(|bytes| bytes.try_into().map(u64::from_le_bytes).unwrap_or(0).to_string())
            .collect(),
        Dtype::Bool => data.iter().map(|byte| (*byte != 0).to_string()).collect(),
        _ => tensor.to_f64().iter().map(f64::to_string).collect(),
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn table(lines: &[&str]) -> Result<String> {
        let (mut csv, mut out) = (Csv::default(), Vec::new());
        for line in lines {
            csv.add(&serde_json::from_str(line).unwrap(), &mut out)?;
        }
        csv.finish(&mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    const FAILED: &str =
        r#"{"index":0,"status":"failed","error":{"code":"INVALID_INPUT","message":"a, b"}}"#;

    #[test]
    fn numbers_have_a_column_each() {
        let one = r#"{"index":1,"status":"completed","result":{"data":[0.1,2],"shape":[1,2]}}"#;
        let expected = "index,status,output_0,output_1,error\n\
                        0,failed,,,\"a, b (INVALID_INPUT)\"\n\
                        1,completed,0.1,2,\n\
                        0,failed,,,\"a, b (INVALID_INPUT)\"\n";
        assert_eq!(table(&[FAILED, one, FAILED]).unwrap(), expected);
        let two = r#"{"index":0,"status":"completed","result":{"outputs":{
            "sum":{"data":[9007199254740993],"shape":[1],"dtype":"int64"},
            "is":{"data":[true],"shape":[1],"dtype":"bool"}}}}"#;
        assert_eq!(
            table(&[two]).unwrap(),
            "index,status,is,sum,error\n0,completed,true,9007199254740993,\n"
        );
    }

    #[test]
    fn words_have_a_column_each() {
        let best = r#"{"index":0,"status":"completed","result":{"predictions":
            [{"index":3,"label":"cat","score":0.75},{"index":1,"label":"dog","score":0.1}]}}"#;
        let expected = "index,status,label,score,index,error\n0,completed,cat,0.75,3,\n";
        assert_eq!(table(&[best]).unwrap(), expected);
        let list = r#"{"index":0,"status":"completed","result":[{"value":1}]}"#;
        let expected = "index,status,result,error\n0,completed,\"[{\"\"value\"\":1}]\",\n";
        assert_eq!(table(&[list]).unwrap(), expected);
        let none = "index,status,error\n0,failed,\"a, b (INVALID_INPUT)\"\n";
        assert_eq!(table(&[FAILED]).unwrap(), none);
    }

    #[test]
    fn results_that_are_no_table_are_explained() {
        let one = r#"{"index":0,"status":"completed","result":{"data":[1],"shape":[1]}}"#;
        let two = r#"{"index":7,"status":"completed","result":{"data":[1,2],"shape":[2]}}"#;
        let fault = table(&[one, two]).unwrap_err().to_string();
        assert!(fault.contains("input 7") && fault.contains("--format ndjson"), "{fault}");
    }
}
