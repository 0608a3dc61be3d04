"""What reports decide without rows: periods and buckets on the calendar, why a cost changed, what is unusual.

Reading and adding up rows is the warehouse's (`services/sql`); periods as clients write them are parsed in
`services/query/reports`. Start with `calendar.py`.
"""
