use larder::prelude::*;
use larder::serializers::MsgPack;

/// A type parameter, a constant and a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Component)]
#[component(instances(
    Grid<f32, 2> = "ui/grid-f32",
    crate::Grid<Vec<f64>, 3> = "ui/grid-f64",
), model, hooks, version = 2, migrate_from(1 = "from_one"))]
struct Grid<T, const N: usize = 2> {
    cells: Vec<T>,
}

fn from_one<T, const N: usize>(cells: Vec<T>) -> Grid<T, N> {
    Grid { cells }
}

impl<T, const N: usize> Hooks for Grid<T, N> {}

impl<T: Send + Sync, const N: usize> Predict for Grid<T, N> {
    type Input = usize;
    type Output = usize;

    fn predict(&self, row: usize) -> larder::Result<usize> {
        Ok(row * N + self.cells.len())
    }
}

/// One instance, with an old name.
#[derive(Serialize, Deserialize, Component)]
#[component(instances(Boxed<u8> = "ui/boxed"), alias = "ui/parcel")]
struct Boxed<T> {
    content: Artifact<Vec<u8>, MsgPack>,
    label: T,
}

fn main() -> larder::Result<()> {
    let larder = larder::open("memory:")?;
    let small = Grid::<f32> { cells: vec![1.0, 2.0] };
    let deep = Grid::<Vec<f64>, 3> { cells: vec![vec![1.0]] };
    larder.apply("small", &small)?;
    larder.apply("deep", &deep)?;
    assert_eq!(larder.load::<Grid<f32, 2>>("small")?, small);
    assert_eq!(larder.load::<Grid<Vec<f64>, 3>>("deep")?, deep);
    assert_eq!(<Grid<f32> as ComponentType>::TAG, "ui/grid-f32");
    assert_eq!(larder.load_model("deep")?.predict_json("2")?, "7");
    let error = larder.load::<Grid<f32>>("deep").unwrap_err();
    assert!(matches!(error, larder::Error::WrongType { .. }), "{error}");
    larder.apply("boxed", &Boxed { content: vec![1].into(), label: 7_u8 })?;
    assert_eq!(larder.load::<Boxed<u8>>("boxed")?.label, 7);
    Ok(())
}
