//! Networks give the numbers that plain Rust gives, and refuse inputs that do not fit with a sentence.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use dcmp_inference::{Error, Network};
use protocol::tensor::{Dtype, Named, Spec, Tensor};
use support::*;
use tract_onnx::pb::{GraphProto, TensorProto, tensor_proto::DataType};

fn spec(name: &str, dtype: Dtype, shape: &[Option<usize>]) -> Spec {
    Spec { name: name.to_owned(), dtype, shape: shape.to_vec() }
}

#[test]
fn dynamic_batch() {
    let mlp = Mlp::new([10, 32, 2]);
    let network = Network::load(&mlp.file()).unwrap();
    assert_eq!(network.signature().inputs, [spec("x", Dtype::Float32, &[None, Some(10)])]);
    assert_eq!(network.signature().outputs, [spec("y", Dtype::Float32, &[None, Some(2)])]);
    // more sizes than plans are kept, and some again
    for rows in [1, 3, 1, 2, 4, 5, 6, 7, 8, 9, 10, 1, 33] {
        let (x, y) = mlp.example(rows, rows);
        let outputs = network.run(&[x]).unwrap();
        assert_eq!(outputs[0].name, "y");
        assert_eq!(outputs[0].tensor.shape, [rows, 2]);
        assert_close(&outputs[0].tensor, &y);
    }
}

#[test]
fn fixed_batch() {
    let mlp = Mlp::new([4, 8, 3]);
    let network = Network::load(&file(mlp.graph(|| Is(2)))).unwrap();
    assert_eq!(network.signature().inputs, [spec("x", Dtype::Float32, &[Some(2), Some(4)])]);
    assert!(!network.signature().is_batched());
    let (x, y) = mlp.example(2, 1);
    assert_close(&network.run(&[x]).unwrap()[0].tensor, &y);
    let (three_rows, _) = mlp.example(3, 1);
    let error = network.run(&[three_rows]).unwrap_err();
    assert_eq!(error, Error::Input("input `x`: the model takes shape [2, 4], not [3, 4]".into()));
}

#[test]
fn initializers_among_the_inputs_are_not_asked_for() {
    let mlp = Mlp::new([4, 8, 3]);
    let mut graph = mlp.graph(|| N("batch"));
    // as exporters before IR version 4 wrote it, and in any order
    graph.input.insert(0, value("w1", DataType::Float, &[Is(4), Is(8)]));
    graph.input.push(value("b1", DataType::Float, &[Is(8)]));
    let network = Network::load(&file(graph)).unwrap();
    assert_eq!(network.signature().inputs.len(), 1);
    let (x, y) = mlp.example(2, 1);
    assert_close(&network.run(&[x]).unwrap()[0].tensor, &y);
}

/// `sum = a + b` in int64 over two open dimensions, and `more = a > b`.
fn two_inputs() -> Network {
    let dims = || [N("N"), N("M")];
    let graph = GraphProto {
        node: vec![node("Add", &["a", "b"], &["sum"]), node("Greater", &["a", "b"], &["more"])],
        input: vec![value("a", DataType::Int64, &dims()), value("b", DataType::Int64, &dims())],
        output: vec![
            value("sum", DataType::Int64, &dims()),
            value("more", DataType::Bool, &dims()),
        ],
        ..GraphProto::default()
    };
    Network::load(&file(graph)).unwrap()
}

fn ints(name: &str, shape: &[usize], values: &[i64]) -> Named {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = Tensor { dtype: Dtype::Int64, shape: shape.to_vec(), data: data.into() };
    Named { name: name.to_owned(), tensor }
}

#[test]
fn several_inputs_and_outputs_of_other_types() {
    let network = two_inputs();
    assert_eq!(network.signature().outputs[1], spec("more", Dtype::Bool, &[None, None]));
    // by name, not by place
    let outputs = network
        .run(&[ints("b", &[1, 3], &[10, 20, -5]), ints("a", &[1, 3], &[1, 30, i64::MAX])])
        .unwrap();
    assert_eq!(outputs[0], ints("sum", &[1, 3], &[11, 50, i64::MAX - 5]));
    assert_eq!(outputs[1].tensor.dtype, Dtype::Bool);
    assert_eq!(outputs[1].tensor.data.as_ref(), [0, 1, 1]);
}

#[test]
fn a_bool_input_holds_only_bools() {
    let graph = GraphProto {
        node: vec![node("Not", &["a"], &["b"])],
        input: vec![value("a", DataType::Bool, &[Is(3)])],
        output: vec![value("b", DataType::Bool, &[Is(3)])],
        ..GraphProto::default()
    };
    let network = Network::load(&file(graph)).unwrap();
    let bools = |data: &'static [u8]| {
        let tensor = Tensor { dtype: Dtype::Bool, shape: vec![3], data: data.into() };
        [Named { name: "a".to_owned(), tensor }]
    };
    assert_eq!(network.run(&bools(&[0, 1, 0])).unwrap()[0].tensor.data.as_ref(), [1, 0, 1]);
    let error = network.run(&bools(&[0, 2, 0])).unwrap_err();
    assert!(error.to_string().contains("must be 0 or 1"), "{error}");
}

#[test]
fn wrong_inputs_are_explained() {
    let network = two_inputs();
    let a = || ints("a", &[1, 2], &[1, 2]);
    let explain = |inputs: &[Named]| match network.run(inputs).unwrap_err() {
        Error::Input(message) => message,
        Error::Engine(message) => panic!("the engine saw it: {message}"),
    };
    let takes = "the model takes exactly these inputs: `a` (int64 [N, N]), `b` (int64 [N, N])";
    assert_eq!(explain(&[a()]), takes);
    assert_eq!(explain(&[a(), ints("c", &[1, 2], &[1, 2])]), takes);
    assert_eq!(explain(&[a(), ints("b", &[1, 2], &[1, 2]), a()]), takes);
    let float = Named { name: "b".into(), tensor: Tensor::from_f32(vec![1, 2], &[1.0, 2.0]) };
    assert_eq!(explain(&[a(), float]), "input `b`: the model takes int64, not float32");
    assert_eq!(
        explain(&[a(), ints("b", &[2], &[1, 2])]),
        "input `b`: the model takes shape [N, N], not [2]"
    );
    assert_eq!(
        explain(&[a(), ints("b", &[0, 2], &[])]),
        "input `b`: shape [0, 2] is empty; send at least one row"
    );
    // shapes that the signature allows and the operator does not
    let error = network.run(&[a(), ints("b", &[1, 3], &[1, 2, 3])]).unwrap_err();
    assert!(matches!(error, Error::Engine(_)), "{error}");
}

#[test]
fn a_shape_that_would_not_fit_in_memory_is_refused() {
    // x [N, 1] × row [1, 1000000]
    let graph = GraphProto {
        node: vec![node("MatMul", &["x", "row"], &["y"])],
        initializer: vec![weights("row", &[1, 1_000_000], &vec![1.0; 1_000_000])],
        input: vec![value("x", DataType::Float, &[N("N"), Is(1)])],
        output: vec![value("y", DataType::Float, &[N("N"), Is(1_000_000)])],
        ..GraphProto::default()
    };
    let network = Network::load(&file(graph)).unwrap();
    let rows = Tensor::from_f32(vec![1000, 1], &[1.0; 1000]);
    let error = network.run(&[Named { name: "x".into(), tensor: rows }]).unwrap_err();
    assert!(error.to_string().contains("send fewer rows at once"), "{error}");
}

#[test]
fn many_threads_share_one_network() {
    let mlp = Mlp::new([10, 32, 2]);
    let network = Network::load(&mlp.file()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (network, mlp) = (&network, &mlp);
            scope.spawn(move || {
                for round in 0..200 {
                    let (x, y) = mlp.example(1 + (round + thread) % 5, round);
                    assert_close(&network.run(&[x]).unwrap()[0].tensor, &y);
                }
            });
        }
    });
}

#[test]
fn stacking_answers_as_one_by_one() {
    let mlp = Mlp::new([10, 32, 2]);
    let network = Network::load(&mlp.file()).unwrap();
    for count in [2, 13, 1, 70] {
        let examples: Vec<_> = (0..count).map(|k| mlp.example(1 + k % 3, k)).collect();
        let requests: Vec<&[Named]> =
            examples.iter().map(|(x, _)| std::slice::from_ref(x)).collect();
        let answers = network.run_stacked(&requests);
        assert_eq!(answers.len(), count);
        for (answer, (x, y)) in answers.into_iter().zip(&examples) {
            let outputs = answer.unwrap();
            assert_eq!(outputs[0].tensor.shape, [x.tensor.shape[0], 2]);
            assert_close(&outputs[0].tensor, y);
        }
    }
}

#[test]
fn a_request_that_fails_in_a_stack_fails_alone() {
    // a table of 3 rows, looked up by index
    let graph = GraphProto {
        node: vec![node("Gather", &["table", "i"], &["y"])],
        initializer: vec![weights("table", &[3, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])],
        input: vec![value("i", DataType::Int64, &[N("N")])],
        output: vec![value("y", DataType::Float, &[N("N"), Is(2)])],
        ..GraphProto::default()
    };
    let network = Network::load(&file(graph)).unwrap();
    let indices = [0, 1, 2, 7, 1].map(|index| [ints("i", &[1], &[index])]);
    let wrong = [ints("i", &[1, 1], &[0])];
    let requests: Vec<&[Named]> =
        indices.iter().chain([&wrong]).map(|request| request.as_slice()).collect();
    for _ in 0..3 {
        let answers = network.run_stacked(&requests);
        for (index, row) in [(0, [0.0, 1.0]), (1, [2.0, 3.0]), (2, [4.0, 5.0]), (4, [2.0, 3.0])] {
            assert_close(&answers[index].as_ref().unwrap()[0].tensor, &row);
        }
        assert!(matches!(answers[3], Err(Error::Engine(_))), "{:?}", answers[3]);
        assert!(matches!(answers[5], Err(Error::Input(_))), "{:?}", answers[5]);
    }
}

#[test]
fn a_model_that_mixes_its_rows_is_never_stacked() {
    let mut softmax = node("Softmax", &["x"], &["y"]);
    softmax.attribute.push(int("axis", 0));
    let graph = GraphProto {
        node: vec![softmax],
        input: vec![value("x", DataType::Float, &[N("N"), Is(2)])],
        output: vec![value("y", DataType::Float, &[N("N"), Is(2)])],
        ..GraphProto::default()
    };
    let network = Network::load(&file(graph)).unwrap();
    assert!(network.signature().is_batched());
    let rows = [[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]]
        .map(|row| [Named { name: "x".into(), tensor: Tensor::from_f32(vec![1, 2], &row) }]);
    let requests: Vec<&[Named]> = rows.iter().map(|row| row.as_slice()).collect();
    for _ in 0..3 {
        for answer in network.run_stacked(&requests) {
            assert_close(&answer.unwrap()[0].tensor, &[1.0, 1.0]);
        }
    }
}

#[test]
fn a_constant_without_a_value_is_a_float32_zero() {
    let graph = GraphProto {
        node: vec![node("Shape", &["x"], &["s"]), node("ConstantOfShape", &["s"], &["y"])],
        input: vec![value("x", DataType::Float, &[N("n"), Is(2)])],
        output: vec![value("y", DataType::Float, &[N("n"), Is(2)])],
        ..GraphProto::default()
    };
    let network = Network::load(&file(graph)).unwrap();
    assert_eq!(network.signature().outputs[0].dtype, Dtype::Float32);
    let x = Tensor::from_f32(vec![3, 2], &[1.0; 6]);
    let outputs = network.run(&[Named { name: "x".to_owned(), tensor: x }]).unwrap();
    assert_eq!(outputs[0].tensor, Tensor::from_f32(vec![3, 2], &[0.0; 6]));
}

#[test]
fn float16_and_weights_in_lists() {
    // half(x) + [1, 2] with the weights outside of raw_data
    let list = TensorProto {
        name: "w".to_owned(),
        dims: vec![2],
        data_type: DataType::Float as i32,
        float_data: vec![1.0, 2.0],
        ..TensorProto::default()
    };
    let mut cast = node("Cast", &["x"], &["wide"]);
    cast.attribute.push(int("to", DataType::Float as i64));
    let graph = GraphProto {
        node: vec![cast, node("Add", &["wide", "w"], &["y"])],
        initializer: vec![list],
        input: vec![value("x", DataType::Float16, &[Is(1), Is(2)])],
        output: vec![value("y", DataType::Float, &[Is(1), Is(2)])],
        ..GraphProto::default()
    };
    let network = Network::load(&file(graph)).unwrap();
    // 1.5 and -2 in half precision
    let data = [0x00, 0x3e, 0x00, 0xc0];
    let tensor = Tensor { dtype: Dtype::Float16, shape: vec![1, 2], data: data.to_vec().into() };
    let outputs = network.run(&[Named { name: "x".into(), tensor }]).unwrap();
    assert_close(&outputs[0].tensor, &[2.5, 0.0]);
}
