use super::*;

/// Compares with each vector in `f64`, sorts, and cuts.
fn naive(segments: &[Segment<'_>], query: &[f32], measure: Measure, n: usize) -> Vec<(u64, f64)> {
    let width = query.len();
    let mut all = Vec::new();
    for segment in segments {
        for (position, (row, vector)) in
            segment.rows.iter().zip(segment.vectors.chunks(width)).enumerate()
        {
            let position = position as u32;
            let is_candidate = match segment.candidates {
                Candidates::All => true,
                Candidates::Except(except) => !except.contains(&position),
                Candidates::Only(only) => only.contains(&position),
            };
            if is_candidate {
                all.push((*row, naive_score(vector, query, measure)));
            }
        }
    }
    let sign = if measure == Measure::L2 { 1.0 } else { -1.0 };
    all.sort_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)).then(a.0.cmp(&b.0)));
    all.truncate(n);
    all
}

fn naive_score(a: &[f32], b: &[f32], measure: Measure) -> f64 {
    let pairs = || a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let dot: f64 = pairs().map(|(a, b)| a * b).sum();
    match measure {
        Measure::Dot => dot,
        Measure::L2 => pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt(),
        Measure::Cosine => {
            let norm = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            let norms = norm(a) * norm(b);
            if norms == 0.0 { 0.0 } else { dot / norms }
        }
    }
}

fn random(random: &mut fastrand::Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| random.f32() * 2.0 - 1.0).collect()
}

fn threads(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

#[test]
fn finds_what_a_naive_search_finds() {
    let mut rng = fastrand::Rng::with_seed(16);
    for (rows, width) in [(1, 1), (7, 3), (500, 17), (5_000, 40), (9_001, 5)] {
        let ids: Vec<u64> = (0..rows as u64).map(|id| id * 3 + 1).collect();
        let vectors = random(&mut rng, rows * width);
        let half = rows / 2;
        let some: Vec<u32> = (0..half as u32).filter(|_| rng.f32() < 0.3).collect();
        let segments = |first, second| {
            [
                Segment {
                    rows: &ids[..half],
                    vectors: &vectors[..half * width],
                    candidates: first,
                },
                Segment {
                    rows: &ids[half..],
                    vectors: &vectors[half * width..],
                    candidates: second,
                },
            ]
        };
        for candidates in [Candidates::All, Candidates::Except(&some), Candidates::Only(&some)] {
            let segments = segments(candidates, Candidates::All);
            for measure in Measure::ALL {
                for n in [1, 10, rows + 5] {
                    let query = random(&mut rng, width);
                    let expected = naive(&segments, &query, measure, n);
                    for count in [1, 2, 5] {
                        let found = nearest(&segments, &query, measure, n, threads(count));
                        assert_eq!(found.len(), expected.len(), "{measure} {n} {rows}x{width}");
                        for (hit, (_, score)) in found.iter().zip(&expected) {
                            let difference = (f64::from(hit.score) - score).abs();
                            assert!(difference < 1e-4, "{measure}: {} or {score}", hit.score);
                        }
                        let mut rows: Vec<u64> = found.iter().map(|hit| hit.row).collect();
                        rows.sort_unstable();
                        rows.dedup();
                        assert_eq!(rows.len(), found.len(), "no row twice");
                    }
                }
            }
        }
    }
}

#[test]
fn equal_vectors_come_in_the_order_of_their_rows() {
    let rows = [9, 4, 7];
    let segment = Segment { rows: &rows, vectors: &[1.0; 6], candidates: Candidates::All };
    let found = nearest(&[segment], &[1.0, 1.0], Measure::L2, 2, threads(2));
    assert_eq!(found, [Hit { row: 4, score: 0.0 }, Hit { row: 7, score: 0.0 }]);
}

#[test]
fn scores_are_cosine_product_and_distance() {
    let segment = Segment { rows: &[0], vectors: &[3.0, 4.0], candidates: Candidates::All };
    let score = |measure| nearest(&[segment], &[1.0, 0.0], measure, 1, threads(1))[0].score;
    assert_eq!(score(Measure::Cosine), 0.6);
    assert_eq!(score(Measure::Dot), 3.0);
    assert_eq!(score(Measure::L2), 20.0_f32.sqrt());
}

#[test]
fn a_vector_of_zeros_has_no_direction_and_nan_is_never_found() {
    let vectors = [0.0, 0.0, f32::NAN, 1.0, -1.0, 0.0];
    let segment = Segment { rows: &[1, 2, 3], vectors: &vectors, candidates: Candidates::All };
    let found = nearest(&[segment], &[1.0, 0.0], Measure::Cosine, 3, threads(1));
    let scores: Vec<_> = found.iter().map(|hit| (hit.row, hit.score)).collect();
    assert_eq!(scores, [(1, 0.0), (3, -1.0)]);
}

#[test]
fn nothing_is_found_in_nothing() {
    assert!(nearest(&[], &[1.0], Measure::Dot, 3, threads(4)).is_empty());
    let segment = Segment { rows: &[1], vectors: &[1.0], candidates: Candidates::All };
    assert!(nearest(&[segment], &[1.0], Measure::Dot, 0, threads(4)).is_empty());
    assert!(nearest(&[segment], &[], Measure::Dot, 3, threads(4)).is_empty());
}

#[test]
fn measures_have_names() {
    for measure in Measure::ALL {
        assert_eq!(measure.as_str().parse::<Measure>().unwrap(), measure);
    }
    let error = "euclid".parse::<Measure>().unwrap_err().to_string();
    assert!(error.contains("cosine, dot and l2"), "{error}");
}
