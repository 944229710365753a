use larder::prelude::*;
use larder::triggers;
use larder::jobs::JobContext;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/one")]
struct One {}

#[triggers]
impl One {
    #[trigger(apply, depends_on = "strat")]
    fn go(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply, depends_on = "start")]
    fn start(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(remove, depends_on = ["go", "start"])]
    fn gone(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/two")]
struct Two {}

#[triggers]
impl Two {
    #[trigger(apply)]
    fn first(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply, depends_on = ["first", "d"])]
    fn b(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply, depends_on = "b")]
    fn c(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply, depends_on = "c")]
    fn d(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
