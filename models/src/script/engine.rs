//! The interpreter, without anything that reaches outside.

use std::sync::OnceLock;
use std::time::Instant;

use larder_core::extend::catch_panic;
use rhai::module_resolvers::DummyModuleResolver;
use rhai::packages::{
    BasicArrayPackage, BasicMapPackage, BasicMathPackage, BitFieldPackage, CorePackage,
    LogicPackage, MoreStringPackage, Package,
};
use rhai::{AST, Dynamic, Engine, EvalAltResult, Module, Position, Scope, Shared};

use super::{Limits, MOST_BYTES, ScriptError};

/// How deep expressions may be nested, outside and inside of functions.
const EXPRESSIONS: usize = 64;
/// The most functions of a script.
const FUNCTIONS: usize = 1024;
/// After how many steps the clock is looked at.
const STEPS: u64 = 1024;

/// Parses a script and looks for `predict`; runs nothing.
pub(crate) fn parse(text: &str) -> Result<AST, ScriptError> {
    if text.len() as u64 > MOST_BYTES {
        return Err(ScriptError::TooLong { most: MOST_BYTES });
    }
    let parse = || engine(&Limits::default()).compile(text);
    let ast = catch_panic("the parser", parse).map_err(|panic| ScriptError::Syntax {
        line: 0,
        column: 0,
        message: panic.to_string(),
    })??;
    let is_predict = |function: rhai::ScriptFnMetadata<'_>| {
        function.name == "predict" && function.params.len() == 1
    };
    if !ast.iter_functions().any(is_predict) {
        return Err(ScriptError::NoPredict);
    }
    Ok(ast)
}

/// One call of a script.
pub(super) struct Call<'a> {
    engine: Engine,
    limits: &'a Limits,
}

impl<'a> Call<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        let mut engine = engine(limits);
        let (begun, time) = (Instant::now(), limits.time());
        engine.on_progress(move |steps| {
            let late = steps % STEPS == 0 && begun.elapsed() > time;
            late.then_some(Dynamic::UNIT)
        });
        Self { engine, limits }
    }

    pub(super) fn predict(&self, ast: &AST, input: Dynamic) -> Result<Dynamic, ScriptError> {
        let call = || self.engine.call_fn(&mut Scope::new(), ast, "predict", (input,));
        // The engine is this call's own, and the script is only read.
        let called = catch_panic("the interpreter", call).map_err(|panic| ScriptError::Failed {
            line: 0,
            column: 0,
            message: panic.to_string(),
        })?;
        called.map_err(|error| ScriptError::of(*error, self.limits))
    }
}

/// An engine costs little: its functions are shared by all.
fn engine(limits: &Limits) -> Engine {
    let mut engine = Engine::new_raw();
    for module in modules() {
        engine.register_global_module(Shared::clone(module));
    }
    engine
        .set_module_resolver(DummyModuleResolver::new())
        .set_max_operations(limits.operations.max(1))
        .set_max_call_levels(limits.call_depth)
        .set_max_variables(limits.variables)
        .set_max_functions(FUNCTIONS)
        .set_max_modules(0)
        .set_max_expr_depths(EXPRESSIONS, EXPRESSIONS)
        .set_max_string_size(limits.text.max(1))
        .set_max_array_size(limits.array.max(1))
        .set_max_map_size(limits.map.max(1));
    for symbol in ["eval", "import", "export", "print", "debug"] {
        engine.disable_symbol(symbol);
    }
    engine.register_fn("sleep", |_: i64| no_waiting());
    engine.register_fn("sleep", |_: f64| no_waiting());
    engine
}

fn no_waiting() -> Result<(), Box<EvalAltResult>> {
    let name = "sleep".to_owned();
    Err(EvalAltResult::ErrorFunctionNotFound(name, Position::NONE).into())
}

/// The functions of the language; those of time and of bytes are left out.
fn modules() -> &'static [Shared<Module>] {
    static MODULES: OnceLock<Vec<Shared<Module>>> = OnceLock::new();
    MODULES.get_or_init(|| {
        vec![
            CorePackage::new().as_shared_module(),
            BitFieldPackage::new().as_shared_module(),
            LogicPackage::new().as_shared_module(),
            BasicMathPackage::new().as_shared_module(),
            BasicArrayPackage::new().as_shared_module(),
            BasicMapPackage::new().as_shared_module(),
            MoreStringPackage::new().as_shared_module(),
        ]
    })
}
