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
    #[trigger(cron("0 25 * * *"))]
    fn late(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(cron("@daily"))]
    fn short(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
