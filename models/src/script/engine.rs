//! The sandboxed interpreter.

use std::sync::OnceLock;
use std::time::Instant;

use larder_core::extend::catch_panic;
use rhai::module_resolvers::DummyModuleResolver;
use rhai::packages::{
    BasicArrayPackage, BasicMapPackage, BasicMathPackage, BitFieldPackage, CorePackage,
    LogicPackage, MoreStringPackage, Package,
};
use rhai::{AST, Dynamic, Engine, EvalAltResult, Module, Position, Scope, Shared};

use super::{Limits, MAX_BYTES, ScriptError};

/// Maximum nesting depth of expressions.
const MAX_EXPR_DEPTH: usize = 64;
/// Maximum number of functions of a script.
const MAX_FUNCTIONS: usize = 1024;
/// Number of operations between two checks of the clock.
const CLOCK_INTERVAL: u64 = 1024;

/// Parses a script and checks that it defines `predict`, without running it.
pub(crate) fn parse(text: &str) -> Result<AST, ScriptError> {
    if text.len() as u64 > MAX_BYTES {
        return Err(ScriptError::TooLong { limit: MAX_BYTES });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
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
        let (start, time) = (Instant::now(), limits.time());
        engine.on_progress(move |operations| {
            let timed_out = operations % CLOCK_INTERVAL == 0 && start.elapsed() > time;
            timed_out.then_some(Dynamic::UNIT)
        });
        Self { engine, limits }
    }

    pub(super) fn predict(&self, ast: &AST, input: Dynamic) -> Result<Dynamic, ScriptError> {
        let call = || self.engine.call_fn(&mut Scope::new(), ast, "predict", (input,));
        // Each call has its own engine; the script is immutable.
        let called = catch_panic("the interpreter", call).map_err(|panic| ScriptError::Failed {
            line: 0,
            column: 0,
            message: panic.to_string(),
        })?;
        called.map_err(|error| ScriptError::from_rhai(*error, self.limits))
    }
}

/// Creates an engine; its modules are shared.
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
        .set_max_functions(MAX_FUNCTIONS)
        .set_max_modules(0)
        .set_max_expr_depths(MAX_EXPR_DEPTH, MAX_EXPR_DEPTH)
        .set_max_string_size(limits.text.max(1))
        .set_max_array_size(limits.array.max(1))
        .set_max_map_size(limits.map.max(1));
    for symbol in ["eval", "import", "export", "print", "debug"] {
        engine.disable_symbol(symbol);
    }
    engine.register_fn("sleep", |_: i64| no_sleep());
    engine.register_fn("sleep", |_: f64| no_sleep());
    engine
}

fn no_sleep() -> Result<(), Box<EvalAltResult>> {
    let name = "sleep".to_owned();
    Err(EvalAltResult::ErrorFunctionNotFound(name, Position::NONE).into())
}

/// Modules of the standard library, without time and blobs.
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
