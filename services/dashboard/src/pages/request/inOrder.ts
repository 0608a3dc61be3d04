/** The order of the attempts of one request. */

interface Attempt {
  attempt_of?: string | null;
  request_created_at: string;
}

/** As they were made: the row of the client's request, which began before all of them, is that of the last one. */
export function attemptsInOrder<Row extends Attempt>(rows: readonly Row[]): Row[] {
  const isLast = (row: Row) => Number(!row.attempt_of);
  return rows.toSorted(
    (one, other) => isLast(one) - isLast(other) || one.request_created_at.localeCompare(other.request_created_at),
  );
}
