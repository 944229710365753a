use larder::prelude::*;

#[derive(Clone, Serialize, Deserialize, Component)]
#[component(tag = "ui/hooked", hooks)]
struct Hooked {
    checked: bool,
}

impl Hooks for Hooked {
    fn post_init(&mut self) -> HookResult {
        self.checked = std::env::args().count() < "1000".parse()?; // any error goes
        Ok(())
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Scaler {
    factor: f64,
}

#[larder::objectmodel(tag = "ui/hooked-model", hooks)]
impl Scaler {
    fn call(&self, x: f64) -> f64 {
        self.factor * x
    }
}

impl Hooks for Scaler {
    fn setup(&self, context: &HookContext) -> HookResult {
        assert_eq!(context.identifier().as_str(), "scaler");
        Err("the hook was run".into())
    }
}

// Output of a user's macro.
macro_rules! probe {
    ($name:ident, $tag:literal) => {
        #[derive(Clone, Serialize, Deserialize, Component)]
        #[component(tag = $tag, hooks)]
        struct $name;

        impl Hooks for $name {}
    };
}

probe!(Made, "ui/hooked-made");

fn main() -> larder::Result<()> {
    let larder = larder::open("memory:")?;
    larder.apply("hooked", &Hooked { checked: false })?;
    assert!(larder.load::<Hooked>("hooked")?.checked);
    larder.apply("made", &Made)?;
    larder.apply("scaler", &Scaler { factor: 2.0 })?;
    let error = larder.load_model("scaler")?.predict_json(r#"{"x": 1}"#).unwrap_err();
    assert!(matches!(error, larder::Error::Hook { .. }), "{error}");
    Ok(())
}
