/** The interface to PostgreSQL: queries and transactions. */

export interface Database {
  /** The rows of one statement; with values it is a prepared statement. Rejects with the driver's error. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
  /** Runs `work` in a transaction; an error of `work` rolls it back and rejects. */
  transaction<T>(work: (db: Database) => Promise<T>): Promise<T>
}
