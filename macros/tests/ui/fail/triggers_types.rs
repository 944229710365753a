use larder::prelude::*;
use larder::triggers;
use larder::jobs::JobContext;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/fields")]
struct Fields {
    a: u32,
}

#[triggers]
impl Fields {
    #[trigger(apply, requires = "a")]
    fn always_set(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply, requires = "b")]
    fn unknown(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct NoComponent;

#[triggers]
impl NoComponent {
    #[trigger(apply)]
    fn start(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }
}

struct NotSerde;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/errors")]
struct Errors;

#[triggers]
impl Errors {
    #[trigger(apply)]
    fn no_error(&self, _: &JobContext) -> Result<(), u32> {
        Ok(())
    }

    #[trigger(apply, outputs)]
    fn no_output(&self, _: &JobContext) -> Result<NotSerde, String> {
        Ok(NotSerde)
    }
}

fn main() {}
