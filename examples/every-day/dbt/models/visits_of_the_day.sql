select * from {{ source("clinic", "visits") }} where day = '{{ var("day") }}'
