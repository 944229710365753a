use larder::prelude::*;
use larder::triggers;
use larder::jobs::JobContext;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/it")]
struct It {
    d: Option<String>,
}

#[triggers]
impl It {
    #[trigger]
    fn never(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(retries = 3)]
    fn nothing(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(aply)]
    fn unknown(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply, apply)]
    fn twice(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(event("apply"))]
    fn reserved(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(event("Re Train"))]
    fn bad_event(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(event)]
    fn no_event(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply, timeout = "soon")]
    fn bad_time(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply, retries = 1001)]
    fn often(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply, outputs = true)]
    fn valued(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply, requires = "d.e")]
    fn no_field(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger("apply")]
    fn quoted(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
